//! What a board does, without the board: debounce, strike timing, fire release, OSDP peripheral.
