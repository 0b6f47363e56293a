//! Finds frames in a stream of bytes and finds the next one after noise.

use crate::frame::{Frame, FrameError, HEADER_LEN, SOM};

/// Collects bytes until a frame is whole. `N` is the largest frame it takes, in bytes.
///
/// ```
/// # use osdp::Receiver;
/// let mut receiver = Receiver::<128>::new();
/// let mut input = &[0x00, 0xFF, 0x53, 0xe5, 0x09, 0x00, 0x04, 0x41, 0x06, 0xd9, 0xc8][..];
/// assert_eq!(receiver.advance(&mut input), Some(Ok(())));
/// assert_eq!(receiver.frame().expect("just received").code, 0x41);
/// assert_eq!(receiver.advance(&mut input), None);
/// ```
#[derive(Debug)]
pub struct Receiver<const N: usize> {
    buffer: [u8; N],
    len: usize,
    /// Length of the whole frame at the start of the buffer; 0 when there is none.
    ready: usize,
    noise: u32,
}

impl<const N: usize> Default for Receiver<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Receiver<N> {
    /// An empty receiver.
    pub const fn new() -> Self {
        Self { buffer: [0; N], len: 0, ready: 0, noise: 0 }
    }

    /// Takes bytes off the front of `input` until a frame is whole (`Ok`), a candidate is refused
    /// (`Err`), or `input` is used up (`None`). Call again until it says `None`. The frame of the
    /// call before is forgotten.
    pub fn advance(&mut self, input: &mut &[u8]) -> Option<Result<(), FrameError>> {
        let done = core::mem::take(&mut self.ready);
        self.discard(done);
        loop {
            self.skip_to_start();
            let wanted = match self.candidate_len() {
                Ok(wanted) => wanted,
                Err(error) => {
                    self.discard(1);
                    return Some(Err(error));
                }
            };
            if self.len >= HEADER_LEN && self.len >= wanted {
                return Some(match Frame::parse(&self.buffer[..wanted]) {
                    Ok(_) => {
                        self.ready = wanted;
                        Ok(())
                    }
                    Err(error) => {
                        // The length itself may be what was damaged: look for a frame inside.
                        self.discard(1);
                        Err(error)
                    }
                });
            }
            if input.is_empty() {
                return None;
            }
            let take = input.len().min(wanted - self.len);
            let (now, later) = input.split_at(take);
            self.buffer[self.len..self.len + take].copy_from_slice(now);
            self.len += take;
            *input = later;
        }
    }

    /// The frame that the last [`advance`](Self::advance) completed.
    pub fn frame(&self) -> Option<Frame<'_>> {
        Frame::layout(self.bytes()?).ok()
    }

    /// The bytes of that frame.
    pub fn bytes(&self) -> Option<&[u8]> {
        (self.ready > 0).then(|| &self.buffer[..self.ready])
    }

    /// The bytes of that frame, to be decrypted in place.
    pub fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        (self.ready > 0).then(|| &mut self.buffer[..self.ready])
    }

    /// Whether part of a frame is waiting for the rest.
    pub fn is_partial(&self) -> bool {
        self.len > self.ready
    }

    /// Forgets everything collected: the line was silent for longer than a frame may pause.
    pub fn reset(&mut self) {
        self.len = 0;
        self.ready = 0;
    }

    /// Bytes skipped because no frame began there; marks (0xFF) and idle zeros are not counted.
    pub fn noise(&self) -> u32 {
        self.noise
    }

    /// Length of the frame at the start of the buffer as far as it is known, at least a header.
    fn candidate_len(&self) -> Result<usize, FrameError> {
        if self.len < HEADER_LEN {
            return Ok(HEADER_LEN);
        }
        let length = usize::from(u16::from_le_bytes([self.buffer[2], self.buffer[3]]));
        if length <= HEADER_LEN + 1 || length > N { Err(FrameError::Length) } else { Ok(length) }
    }

    fn skip_to_start(&mut self) {
        let held = &self.buffer[..self.len];
        let start = held.iter().position(|&byte| byte == SOM).unwrap_or(held.len());
        let noise = held[..start].iter().filter(|&&byte| byte != 0xFF && byte != 0).count();
        self.noise = self.noise.saturating_add(u32::try_from(noise).unwrap_or(u32::MAX));
        self.discard(start);
    }

    fn discard(&mut self, count: usize) {
        if count > 0 {
            self.buffer.copy_within(count..self.len, 0);
            self.len -= count;
        }
    }
}
