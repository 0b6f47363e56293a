//! OSDP 2.2: codec, secure channel, control panel and peripheral state machines. No I/O, no allocation.
