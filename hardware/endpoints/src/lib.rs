//! What each kind of endpoint is made of and how it behaves. No I/O, no allocation.
