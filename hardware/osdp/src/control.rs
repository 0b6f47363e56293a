//! What commands carry: outputs, LEDs, sounds, text, files.

use crate::records::{DecodeError, Record, wire_enum};
use crate::wire::{Reader, TooLong, Writer};

wire_enum! {
    /// What to do with an output (Table 14).
    OutputAction {
        /// Nothing.
        Nop = 0,
        /// Off for good, and end a running timer.
        OffAbortTimer = 1,
        /// On for good, and end a running timer.
        OnAbortTimer = 2,
        /// Off for good once a running timer has ended.
        OffAfterTimer = 3,
        /// On for good once a running timer has ended.
        OnAfterTimer = 4,
        /// On for the timer's time, then as it was for good.
        OnForTimer = 5,
        /// Off for the timer's time, then as it was for good.
        OffForTimer = 6,
    }
}

/// One output of an `osdp_OUT` command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputControl {
    /// Output number, from 0.
    pub output: u8,
    /// What to do.
    pub action: OutputAction,
    /// Timer in units of 100 ms; 0 with [`OutputAction::OnForTimer`] means for ever.
    pub timer_100ms: u16,
}

impl Record for OutputControl {
    const LEN: usize = 4;

    fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let &[output, action, low, high] = bytes else { return Err(DecodeError::Length) };
        let action = OutputAction::from_byte(action)?;
        Ok(Self { output, action, timer_100ms: u16::from_le_bytes([low, high]) })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), TooLong> {
        out.bytes(&[self.output, self.action as u8])?;
        out.u16(self.timer_100ms)
    }
}

/// An LED colour (Table 17). Values above 7 are the maker's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedColor(pub u8);

impl LedColor {
    /// Off.
    pub const BLACK: Self = Self(0);
    /// Red.
    pub const RED: Self = Self(1);
    /// Green.
    pub const GREEN: Self = Self(2);
    /// Amber.
    pub const AMBER: Self = Self(3);
    /// Blue.
    pub const BLUE: Self = Self(4);
    /// Magenta.
    pub const MAGENTA: Self = Self(5);
    /// Cyan.
    pub const CYAN: Self = Self(6);
    /// White.
    pub const WHITE: Self = Self(7);
}

/// A blink pattern; equal colours are steady light. One of the two times must not be zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blink {
    /// Time on, in units of 100 ms.
    pub on_100ms: u8,
    /// Time off, in units of 100 ms.
    pub off_100ms: u8,
    /// Colour while on.
    pub on: LedColor,
    /// Colour while off.
    pub off: LedColor,
}

impl Blink {
    /// One colour, all the time.
    pub const fn steady(color: LedColor) -> Self {
        Self { on_100ms: 1, off_100ms: 0, on: color, off: color }
    }

    fn write(self, out: &mut Writer<'_>) -> Result<(), TooLong> {
        out.bytes(&[self.on_100ms, self.off_100ms, self.on.0, self.off.0])
    }
}

/// The passing state of an LED, which covers the lasting one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemporaryLed {
    /// Leave it.
    Keep,
    /// End it now and show the lasting state.
    Cancel,
    /// Show this for a time in units of 100 ms.
    Set(Blink, u16),
}

/// One LED of an `osdp_LED` command (Table 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedControl {
    /// Reader number, from 0.
    pub reader: u8,
    /// LED number on that reader, from 0.
    pub led: u8,
    /// The passing state.
    pub temporary: TemporaryLed,
    /// The lasting state, `None` to leave it.
    pub permanent: Option<Blink>,
}

impl Record for LedControl {
    const LEN: usize = 14;

    fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let &[
            reader,
            led,
            t,
            t_on,
            t_off,
            t_on_color,
            t_off_color,
            low,
            high,
            p,
            p_on,
            p_off,
            p_on_color,
            p_off_color,
        ] = bytes
        else {
            return Err(DecodeError::Length);
        };
        let blink = |on_100ms, off_100ms, on, off| Blink {
            on_100ms,
            off_100ms,
            on: LedColor(on),
            off: LedColor(off),
        };
        let temporary = match t {
            0 => TemporaryLed::Keep,
            1 => TemporaryLed::Cancel,
            2 => TemporaryLed::Set(
                blink(t_on, t_off, t_on_color, t_off_color),
                u16::from_le_bytes([low, high]),
            ),
            _ => return Err(DecodeError::Value),
        };
        let permanent = match p {
            0 => None,
            1 => Some(blink(p_on, p_off, p_on_color, p_off_color)),
            _ => return Err(DecodeError::Value),
        };
        Ok(Self { reader, led, temporary, permanent })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), TooLong> {
        out.bytes(&[self.reader, self.led])?;
        match self.temporary {
            TemporaryLed::Keep => out.bytes(&[0; 7])?,
            TemporaryLed::Cancel => out.bytes(&[1, 0, 0, 0, 0, 0, 0])?,
            TemporaryLed::Set(blink, timer) => {
                out.u8(2)?;
                blink.write(out)?;
                out.u16(timer)?;
            }
        }
        match self.permanent {
            None => out.bytes(&[0; 5]),
            Some(blink) => {
                out.u8(1)?;
                blink.write(out)
            }
        }
    }
}

wire_enum! {
    /// What a reader's sounder does (Table 18).
    Tone {
        /// Nothing (deprecated, use `Off`).
        None = 0,
        /// Silence.
        Off = 1,
        /// The reader's usual tone.
        Default = 2,
    }
}

/// `osdp_BUZ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buzzer {
    /// Reader number, from 0.
    pub reader: u8,
    /// What to sound.
    pub tone: Tone,
    /// Time on, in units of 100 ms; not 0 unless off.
    pub on_100ms: u8,
    /// Time off, in units of 100 ms.
    pub off_100ms: u8,
    /// How often; 0 until told otherwise.
    pub count: u8,
}

impl Record for Buzzer {
    const LEN: usize = 5;

    fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let &[reader, tone, on_100ms, off_100ms, count] = bytes else { return Err(DecodeError::Length) };
        Ok(Self { reader, tone: Tone::from_byte(tone)?, on_100ms, off_100ms, count })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), TooLong> {
        out.bytes(&[self.reader, self.tone as u8, self.on_100ms, self.off_100ms, self.count])
    }
}

wire_enum! {
    /// How a text is shown (Table 20).
    TextMode {
        /// Lasting, cut at the end of the line.
        Permanent = 1,
        /// Lasting, continued on the next line.
        PermanentWrapped = 2,
        /// For a time, cut.
        Temporary = 3,
        /// For a time, continued.
        TemporaryWrapped = 4,
    }
}

/// `osdp_TEXT`. The standard knows printable ASCII; a device may agree on more with its panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    /// Reader number, from 0.
    pub reader: u8,
    /// How it is shown.
    pub mode: TextMode,
    /// How long a temporary text stays, in seconds.
    pub seconds: u8,
    /// Row of the first character, from 1.
    pub row: u8,
    /// Column of the first character, from 1.
    pub column: u8,
    /// The characters, at most 255 bytes.
    pub text: &'a [u8],
}

impl<'a> Text<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let Some((&[reader, mode, seconds, row, column, length], text)) = bytes.split_first_chunk::<6>()
        else {
            return Err(DecodeError::Length);
        };
        if text.len() != usize::from(length) {
            return Err(DecodeError::Length);
        }
        Ok(Self { reader, mode: TextMode::from_byte(mode)?, seconds, row, column, text })
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>) -> Result<(), TooLong> {
        let length = u8::try_from(self.text.len()).map_err(|_| TooLong)?;
        out.bytes(&[self.reader, self.mode as u8, self.seconds, self.row, self.column, length])?;
        out.bytes(self.text)
    }
}

/// One block of `osdp_FILETRANSFER` (§6.26).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileBlock<'a> {
    /// What the file is: 1 is opaque, 128 and above are private use.
    pub kind: u8,
    /// Size of the whole file in bytes.
    pub total: u32,
    /// Where this block belongs, in bytes.
    pub offset: u32,
    /// The block; empty keeps the transfer alive.
    pub data: &'a [u8],
}

/// Bytes of a file block before its data.
pub(crate) const FILE_BLOCK_HEADER: usize = 11;

impl<'a> FileBlock<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader(bytes);
        let fields = (|| Some((reader.u8()?, reader.u32()?, reader.u32()?, reader.u16()?)))();
        let (kind, total, offset, length) = fields.ok_or(DecodeError::Length)?;
        let data = reader.exactly(usize::from(length)).ok_or(DecodeError::Length)?;
        Ok(Self { kind, total, offset, data })
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>) -> Result<(), TooLong> {
        out.u8(self.kind)?;
        out.u32(self.total)?;
        out.u32(self.offset)?;
        out.u16(u16::try_from(self.data.len()).map_err(|_| TooLong)?)?;
        out.bytes(self.data)
    }
}

/// `osdp_BIOREAD` and the head of `osdp_BIOMATCH`: which body part, how, how well (Tables 24, 25).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Biometric {
    /// Reader number, from 0.
    pub reader: u8,
    /// Body part.
    pub part: u8,
    /// Format of the template.
    pub format: u8,
    /// Quality wanted or reached.
    pub quality: u8,
}

impl Biometric {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let [reader, part, format, quality] = reader.array()?;
        Some(Self { reader, part, format, quality })
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>) -> Result<(), TooLong> {
        out.bytes(&[self.reader, self.part, self.format, self.quality])
    }
}

/// A maker's number from the IEEE (OUI), in the order of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Oui(pub [u8; 3]);

/// Address and speed, in `osdp_COMSET` and `osdp_COM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineSettings {
    /// New address, 0 to 126.
    pub address: crate::Address,
    /// New speed in bits a second.
    pub baud: u32,
}

impl LineSettings {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader(bytes);
        let (Some(address), Some(baud), true) = (reader.u8(), reader.u32(), reader.finished()) else {
            return Err(DecodeError::Length);
        };
        let address = crate::Address::new(address).ok_or(DecodeError::Value)?;
        Ok(Self { address, baud })
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>) -> Result<(), TooLong> {
        out.u8(self.address.get())?;
        out.u32(self.baud)
    }
}
