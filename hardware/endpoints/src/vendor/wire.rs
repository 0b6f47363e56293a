//! Reading and writing integers in order.

/// A body that is not one of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadBody {
    /// It ends too early.
    #[error("the body is too short")]
    Short,
    /// It goes on after its end.
    #[error("the body is too long")]
    Long,
    /// Another version of the format.
    #[error("unknown version {0}")]
    Version(u8),
    /// No such kind of message.
    #[error("unknown kind {0:#04x}")]
    Kind(u8),
    /// A field has a value outside its range; the field's name.
    #[error("{0} is out of range")]
    Range(&'static str),
}

/// The buffer is too small for the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no room in the buffer")]
pub struct NoRoom;

pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn bytes(&mut self, n: usize) -> Result<&'a [u8], BadBody> {
        let (head, rest) = self.0.split_at_checked(n).ok_or(BadBody::Short)?;
        self.0 = rest;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], BadBody> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(BadBody::Short)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, BadBody> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, BadBody> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, BadBody> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, BadBody> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, BadBody> {
        self.array().map(i64::from_le_bytes)
    }

    pub(super) fn end(self) -> Result<(), BadBody> {
        if self.0.is_empty() { Ok(()) } else { Err(BadBody::Long) }
    }
}

pub(super) struct Writer<'a> {
    buffer: &'a mut [u8],
    used: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(buffer: &'a mut [u8]) -> Writer<'a> {
        Writer { buffer, used: 0 }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        let end = self.used + bytes.len();
        self.buffer.get_mut(self.used..end).ok_or(NoRoom)?.copy_from_slice(bytes);
        self.used = end;
        Ok(())
    }

    pub(super) fn u8(&mut self, v: u8) -> Result<(), NoRoom> {
        self.bytes(&[v])
    }

    pub(super) fn u16(&mut self, v: u16) -> Result<(), NoRoom> {
        self.bytes(&v.to_le_bytes())
    }

    pub(super) fn u32(&mut self, v: u32) -> Result<(), NoRoom> {
        self.bytes(&v.to_le_bytes())
    }

    pub(super) fn u64(&mut self, v: u64) -> Result<(), NoRoom> {
        self.bytes(&v.to_le_bytes())
    }

    pub(super) fn i64(&mut self, v: i64) -> Result<(), NoRoom> {
        self.bytes(&v.to_le_bytes())
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }
}
