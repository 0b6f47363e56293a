//! Secure Channel (SIA OSDP 2.2 Annex D): key derivation, handshake, MAC chain, encryption.
//!
//! A MAC is checked, in constant time, before anything is decrypted or any state moves.

use core::fmt;
use core::hint::black_box;
use core::ops::Range;

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

use crate::frame::{Builder, Direction, Frame, HEADER_LEN, Header, MAC_LEN, Scs};
use crate::status::ClientCryptogram;
use crate::wire::{Check, TooLong, Writer};

const BLOCK: usize = 16;
type Block = [u8; BLOCK];

/// A secure channel base key (SCBK). Not shown by Debug, overwritten when dropped.
#[derive(Clone)]
pub struct Key(Block);

impl Key {
    /// The key every device leaves the factory with (SCBK-D): known to all, so no secret.
    pub const DEFAULT: Self = Self(*b"0123456789:;<=>?");

    /// A key of one's own. It should come from a random source, one for each device.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a key store.
    pub const fn expose(&self) -> &[u8; 16] {
        &self.0
    }

    /// Whether this is the key everybody knows.
    pub fn is_default(&self) -> bool {
        same(&self.0, &Self::DEFAULT.0)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        same(&self.0, &other.0)
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// The three keys of one session, derived from the base key and the panel's random number.
struct SessionKeys {
    enc: Aes128,
    mac1: Aes128,
    mac2: Aes128,
}

impl SessionKeys {
    fn derive(key: &Key, panel_random: &[u8; 8]) -> Self {
        let base = Aes128::new(&key.0.into());
        let derived = |second| {
            let mut block = [0; BLOCK];
            block[0] = 0x01;
            block[1] = second;
            block[2..8].copy_from_slice(&panel_random[..6]);
            encrypt(&base, &mut block);
            let cipher = Aes128::new(&block.into());
            wipe(&mut block);
            cipher
        };
        Self { enc: derived(0x82), mac1: derived(0x01), mac2: derived(0x02) }
    }

    fn cryptogram(&self, first: &[u8; 8], second: &[u8; 8]) -> Block {
        let mut block = [0; BLOCK];
        block[..8].copy_from_slice(first);
        block[8..].copy_from_slice(second);
        encrypt(&self.enc, &mut block);
        block
    }

    fn initial_mac(&self, server_cryptogram: &Block) -> Block {
        let mut mac = *server_cryptogram;
        encrypt(&self.mac1, &mut mac);
        encrypt(&self.mac2, &mut mac);
        mac
    }
}

/// Why a handshake or a sealed frame was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecureError {
    /// The other side does not have the key.
    #[error("the other side does not have the key")]
    Cryptogram,
    /// The frame has no MAC, or is of the wrong kind for its direction.
    #[error("the frame is not secured")]
    Unsecured,
    /// The MAC is wrong: altered, replayed or out of step.
    #[error("the message authentication code is wrong")]
    Mac,
    /// The MAC is right but the data is not whole padded blocks.
    #[error("the encrypted data is malformed")]
    Padding,
}

/// A handshake between `osdp_CHLNG` and `osdp_SCRYPT`, on either side.
pub struct Handshake {
    keys: SessionKeys,
    server_cryptogram: Block,
}

impl Handshake {
    /// Panel: checks the client cryptogram. [`server_cryptogram`](Self::server_cryptogram) goes out next.
    pub fn panel(key: &Key, panel_random: &[u8; 8], client: &ClientCryptogram) -> Result<Self, SecureError> {
        let keys = SessionKeys::derive(key, panel_random);
        let expected = keys.cryptogram(panel_random, &client.random);
        if !same(&expected, &client.cryptogram) {
            return Err(SecureError::Cryptogram);
        }
        let server_cryptogram = keys.cryptogram(&client.random, panel_random);
        Ok(Self { keys, server_cryptogram })
    }

    /// Peripheral: answers a challenge with the reply's content.
    pub fn peripheral(
        key: &Key,
        panel_random: &[u8; 8],
        own_random: &[u8; 8],
        client_id: [u8; 8],
    ) -> (Self, ClientCryptogram) {
        let keys = SessionKeys::derive(key, panel_random);
        let cryptogram = keys.cryptogram(panel_random, own_random);
        let server_cryptogram = keys.cryptogram(own_random, panel_random);
        (Self { keys, server_cryptogram }, ClientCryptogram { client_id, random: *own_random, cryptogram })
    }

    /// What the panel sends, and what the peripheral expects.
    pub fn server_cryptogram(&self) -> [u8; 16] {
        self.server_cryptogram
    }

    /// Panel: checks the initial MAC of `osdp_RMAC_I`; the channel is up.
    pub fn confirm(self, initial_mac: &[u8; 16]) -> Result<Session, SecureError> {
        let expected = self.keys.initial_mac(&self.server_cryptogram);
        if same(&expected, initial_mac) {
            Ok(Session { keys: self.keys, command_mac: [0; BLOCK], reply_mac: expected })
        } else {
            Err(SecureError::Cryptogram)
        }
    }

    /// Peripheral: checks the server cryptogram; returns the channel and the initial MAC to send.
    pub fn accept(self, server_cryptogram: &[u8; 16]) -> Result<(Session, [u8; 16]), SecureError> {
        if !same(&self.server_cryptogram, server_cryptogram) {
            return Err(SecureError::Cryptogram);
        }
        let initial = self.keys.initial_mac(server_cryptogram);
        Ok((Session { keys: self.keys, command_mac: [0; BLOCK], reply_mac: initial }, initial))
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handshake(..)")
    }
}

/// An established channel. Both sides keep the last MAC of each direction: every frame depends on the one
/// before, so nothing can be replayed, dropped or reordered unnoticed.
pub struct Session {
    keys: SessionKeys,
    command_mac: Block,
    reply_mac: Block,
}

impl Session {
    /// Writes a secured frame into `buffer`: `message` writes the data, which is encrypted if there is any.
    /// Returns the frame's length. On error nothing has moved.
    pub fn seal(
        &mut self,
        buffer: &mut [u8],
        header: Header,
        code: u8,
        message: impl FnOnce(&mut Writer<'_>) -> Result<(), TooLong>,
    ) -> Result<usize, TooLong> {
        let (plain, sealed, chain) = match header.direction {
            Direction::Command => (Scs::CommandMac, Scs::CommandSealed, self.reply_mac),
            Direction::Reply => (Scs::ReplyMac, Scs::ReplySealed, self.command_mac),
        };
        let mut builder = Builder::begin(buffer, header, Some((sealed, &[])))?;
        let body = builder.message();
        let (first, rest) = body.split_first_mut().ok_or(TooLong)?;
        *first = code;
        let mut writer = Writer::new(rest);
        message(&mut writer)?;
        let mut data_len = writer.len();
        if data_len > 0 {
            writer.u8(0x80)?;
            while !writer.len().is_multiple_of(BLOCK) {
                writer.u8(0)?;
            }
            data_len = writer.len();
            encrypt_chain(&self.keys.enc, &invert(&chain), &mut rest[..data_len]);
        }
        let message_len = 1 + data_len + MAC_LEN;
        let scs_at = builder.code_at() - 1;
        let covered = builder.covered(message_len, MAC_LEN)?;
        covered[scs_at] = if data_len == 0 { plain as u8 } else { sealed as u8 };
        let mac = self.mac(&chain, covered);
        builder.message()[1 + data_len..message_len].copy_from_slice(&mac[..MAC_LEN]);
        let length = builder.finish(message_len)?;
        self.advance(header.direction, mac);
        Ok(length)
    }

    /// Checks a received frame's MAC and decrypts its data in place; returns where the data is.
    /// On a wrong MAC nothing has moved.
    pub fn open(&mut self, bytes: &mut [u8]) -> Result<Range<usize>, SecureError> {
        let frame = Frame::layout(bytes).map_err(|_| SecureError::Unsecured)?;
        let (Some(block), Some(mac)) = (frame.security, frame.mac) else {
            return Err(SecureError::Unsecured);
        };
        let direction = frame.header.direction;
        let (chain, sealed) = match (direction, block.scs) {
            (Direction::Command, Scs::CommandMac) => (self.reply_mac, false),
            (Direction::Command, Scs::CommandSealed) => (self.reply_mac, true),
            (Direction::Reply, Scs::ReplyMac) => (self.command_mac, false),
            (Direction::Reply, Scs::ReplySealed) => (self.command_mac, true),
            (Direction::Command | Direction::Reply, _) => return Err(SecureError::Unsecured),
        };
        let data = frame.data_at..frame.data_at + frame.data.len();
        let expected = self.mac(&chain, &bytes[..data.end]);
        if !same(&expected[..MAC_LEN], &mac) {
            return Err(SecureError::Mac);
        }
        self.advance(direction, expected);
        if !sealed {
            return Ok(data);
        }
        let content = bytes.get_mut(data.clone()).unwrap_or_default();
        if !content.len().is_multiple_of(BLOCK) {
            return Err(SecureError::Padding);
        }
        decrypt_chain(&self.keys.enc, &invert(&chain), content);
        // No data at all should have come as SCS_15 or SCS_16; some devices seal nothing.
        match content.iter().rposition(|&byte| byte != 0) {
            None if content.is_empty() => Ok(data),
            Some(end) if content[end] == 0x80 => Ok(data.start..data.start + end),
            Some(_) | None => Err(SecureError::Padding),
        }
    }

    /// CBC-MAC with the first MAC key for all blocks and the second for the last (D.5).
    fn mac(&self, chain: &Block, covered: &[u8]) -> Block {
        let mut state = *chain;
        let mut rest = covered;
        while rest.len() > BLOCK {
            let (block, later) = rest.split_at(BLOCK);
            mix(&mut state, block);
            encrypt(&self.keys.mac1, &mut state);
            rest = later;
        }
        mix(&mut state, rest);
        if rest.len() < BLOCK {
            state[rest.len()] ^= 0x80;
        }
        encrypt(&self.keys.mac2, &mut state);
        state
    }

    fn advance(&mut self, direction: Direction, mac: Block) {
        match direction {
            Direction::Command => self.command_mac = mac,
            Direction::Reply => self.reply_mac = mac,
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        wipe(&mut self.command_mac);
        wipe(&mut self.reply_mac);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(..)")
    }
}

/// Random numbers for handshakes: AES-128 in counter mode under a seed from the caller.
///
/// A peripheral that draws the same numbers after each restart would accept a recorded session again,
/// so the seed must differ each time: a hardware random source, or a restart counter kept in flash and
/// mixed with a secret.
pub struct Nonces {
    cipher: Aes128,
    counter: u64,
}

impl Nonces {
    /// Starts from 16 random bytes.
    pub fn new(seed: [u8; 16]) -> Self {
        Self { cipher: Aes128::new(&seed.into()), counter: 0 }
    }

    pub(crate) fn draw(&mut self) -> [u8; 8] {
        let mut block = [0; BLOCK];
        block[..8].copy_from_slice(&self.counter.to_le_bytes());
        self.counter = self.counter.wrapping_add(1);
        encrypt(&self.cipher, &mut block);
        let (first, _) = block.split_first_chunk().expect("a block is longer than 8 bytes");
        *first
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces(..)")
    }
}

/// Length of a secured frame with so many bytes of data.
pub fn sealed_len(data_len: usize, check: Check) -> usize {
    let padded = if data_len == 0 { 0 } else { (data_len + 1).next_multiple_of(BLOCK) };
    HEADER_LEN + 2 + 1 + padded + MAC_LEN + check.size()
}

fn encrypt(cipher: &Aes128, block: &mut Block) {
    cipher.encrypt_block(block.into());
}

fn encrypt_chain(cipher: &Aes128, iv: &Block, data: &mut [u8]) {
    let mut previous = *iv;
    for block in data.chunks_exact_mut(BLOCK) {
        mix(&mut previous, block);
        encrypt(cipher, &mut previous);
        block.copy_from_slice(&previous);
    }
}

fn decrypt_chain(cipher: &Aes128, iv: &Block, data: &mut [u8]) {
    let mut previous = *iv;
    for block in data.chunks_exact_mut(BLOCK) {
        let mut clear = [0; BLOCK];
        clear.copy_from_slice(block);
        cipher.decrypt_block((&mut clear).into());
        mix(&mut clear, &previous);
        previous.copy_from_slice(block);
        block.copy_from_slice(&clear);
    }
}

fn mix(state: &mut Block, with: &[u8]) {
    state.iter_mut().zip(with).for_each(|(byte, other)| *byte ^= other);
}

fn invert(block: &Block) -> Block {
    block.map(|byte| !byte)
}

/// Equality that takes the same time wherever the difference is.
fn same(left: &[u8], right: &[u8]) -> bool {
    let difference = left.iter().zip(right).fold(0, |sum, (a, b)| sum | black_box(a ^ b));
    left.len() == right.len() && black_box(difference) == 0
}

/// Overwrites in a way the optimiser has to keep.
fn wipe(block: &mut Block) {
    block.fill(0);
    black_box(block);
}
