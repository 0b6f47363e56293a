//! Boards in QEMU: start an image, press its inputs, read its pins.
