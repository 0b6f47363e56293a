//! Lights, buzzer and text line of a reader, as OSDP commands them. They only show; nothing depends on them.

use heapless::Vec;
use osdp::{Blink, Buzzer, LedColor, LedControl, TemporaryLed, TextMode, Tone};

const TENTH: u64 = 100_000;

/// The longest text kept, bytes.
pub const MAX_TEXT: usize = 64;

/// A text on a reader's display.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Text {
    /// The characters, as the panel sent them.
    pub text: Vec<u8, MAX_TEXT>,
    /// Row, from 1.
    pub row: u8,
    /// Column, from 1.
    pub column: u8,
}

/// One reader's lamps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lamps {
    permanent: Option<(Blink, u64)>,
    temporary: Option<(Blink, u64, u64)>,
    buzzer: Option<Buzz>,
    lasting_text: Text,
    passing_text: Option<(Text, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Buzz {
    from: u64,
    on: u64,
    off: u64,
    /// 0: until told otherwise.
    count: u8,
}

impl Buzz {
    fn is_over(&self, now: u64) -> bool {
        self.count > 0 && now >= self.from + (self.on + self.off) * u64::from(self.count)
    }

    fn sounds(&self, now: u64) -> bool {
        !self.is_over(now) && (self.off == 0 || (now - self.from) % (self.on + self.off) < self.on)
    }
}

impl Lamps {
    pub(crate) fn led(&mut self, now: u64, control: &LedControl) {
        match control.temporary {
            TemporaryLed::Keep => {}
            TemporaryLed::Cancel => self.temporary = None,
            TemporaryLed::Set(blink, tenths) => {
                self.temporary = Some((blink, now, now + u64::from(tenths) * TENTH));
            }
        }
        if let Some(blink) = control.permanent {
            self.permanent = Some((blink, now));
        }
    }

    pub(crate) fn buzz(&mut self, now: u64, control: &Buzzer) {
        self.buzzer = match control.tone {
            Tone::None | Tone::Off => None,
            Tone::Default if control.on_100ms == 0 => None,
            Tone::Default => Some(Buzz {
                from: now,
                on: u64::from(control.on_100ms) * TENTH,
                off: u64::from(control.off_100ms) * TENTH,
                count: control.count,
            }),
        };
    }

    pub(crate) fn show(&mut self, now: u64, text: &osdp::Text<'_>) {
        let length = text.text.len().min(MAX_TEXT);
        let shown = Text {
            text: Vec::from_slice(&text.text[..length]).expect("cut to MAX_TEXT"),
            row: text.row,
            column: text.column,
        };
        match text.mode {
            TextMode::Permanent | TextMode::PermanentWrapped => {
                self.lasting_text = shown;
                self.passing_text = None;
            }
            TextMode::Temporary | TextMode::TemporaryWrapped => {
                self.passing_text = Some((shown, now + u64::from(text.seconds) * 10 * TENTH));
            }
        }
    }

    /// Ends what has passed.
    pub(crate) fn tick(&mut self, now: u64) {
        if self.temporary.is_some_and(|(_, _, until)| until <= now) {
            self.temporary = None;
        }
        if self.buzzer.is_some_and(|b| b.is_over(now)) {
            self.buzzer = None;
        }
        if self.passing_text.as_ref().is_some_and(|(_, until)| *until <= now) {
            self.passing_text = None;
        }
    }

    pub(crate) fn temporary_color(&self, now: u64) -> Option<LedColor> {
        self.temporary.map(|(blink, from, _)| color(blink, from, now))
    }

    pub(crate) fn permanent_color(&self, now: u64) -> Option<LedColor> {
        self.permanent.map(|(blink, from)| color(blink, from, now))
    }

    pub(crate) fn buzzes(&self, now: u64) -> bool {
        self.buzzer.is_some_and(|b| b.sounds(now))
    }

    pub(crate) fn text(&self) -> &Text {
        self.passing_text.as_ref().map_or(&self.lasting_text, |(text, _)| text)
    }

    /// When something changes next by time alone.
    pub(crate) fn deadline(&self, now: u64) -> Option<u64> {
        let led = |blink: Blink, from| {
            let (on, off) = (u64::from(blink.on_100ms) * TENTH, u64::from(blink.off_100ms) * TENTH);
            (on > 0 && off > 0 && blink.on != blink.off).then(|| next_flip(from, on, off, now))
        };
        let temporary = self
            .temporary
            .map(|(blink, from, until)| led(blink, from).map_or(until, |flip: u64| flip.min(until)));
        let permanent = self.permanent.and_then(|(blink, from)| led(blink, from));
        let buzzer = self.buzzer.and_then(|b| match (b.off, b.count) {
            (0, 0) => None,
            (0, count) => Some(b.from + b.on * u64::from(count)),
            (_, _) => Some(next_flip(b.from, b.on, b.off, now)),
        });
        let text = self.passing_text.as_ref().map(|(_, until)| *until);
        [temporary, permanent, buzzer, text].into_iter().flatten().min()
    }
}

fn color(blink: Blink, from: u64, now: u64) -> LedColor {
    let (on, off) = (u64::from(blink.on_100ms) * TENTH, u64::from(blink.off_100ms) * TENTH);
    if on + off == 0 || (now - from) % (on + off) < on { blink.on } else { blink.off }
}

fn next_flip(from: u64, on: u64, off: u64, now: u64) -> u64 {
    let phase = (now - from) % (on + off);
    now + if phase < on { on - phase } else { on + off - phase }
}

/// Whether red and green lamps are lit for a colour; a lamp of two colours makes amber of both.
pub(crate) fn red_green(color: LedColor) -> (bool, bool) {
    match color {
        LedColor::BLACK | LedColor::BLUE => (false, false),
        LedColor::RED | LedColor::MAGENTA => (true, false),
        LedColor::GREEN | LedColor::CYAN => (false, true),
        _ => (true, true),
    }
}
