//! Why a photograph will not do.

use std::fmt;

use serde::Deserialize;

/// Why a photograph will not do, with what was measured and what it must reach where that helps. The pages word it in
/// the operator's language by [`Reason::code`]; a reason this program does not know is [`Reason::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Reason {
    /// Not a JPEG or PNG picture, or a damaged one.
    NotAPhoto,
    /// More than 8 MiB, or more pixels than are looked at.
    TooLarge,
    /// No face was found.
    NoFace,
    /// More than one face.
    SeveralFaces {
        /// How many.
        count: u32,
    },
    /// It may not be a face.
    Unsure {
        /// Certainty.
        measured: f32,
        /// The least.
        least: f32,
    },
    /// Too few pixels.
    TooSmall {
        /// Width of the face in pixels.
        measured: f32,
        /// The least.
        least: f32,
    },
    /// The edge of the picture cuts the face.
    CutOff {
        /// The part inside.
        measured: f32,
        /// The least.
        least: f32,
    },
    /// Out of focus or moved.
    Blurred {
        /// Sharpness.
        measured: f32,
        /// The least.
        least: f32,
    },
    /// Too little light.
    TooDark {
        /// Mean brightness, 0 to 255.
        measured: f32,
        /// The least.
        least: f32,
    },
    /// Too much light.
    TooBright {
        /// Mean brightness, 0 to 255.
        measured: f32,
        /// The most.
        most: f32,
    },
    /// Grey in grey.
    TooFlat {
        /// Contrast.
        measured: f32,
        /// The least.
        least: f32,
    },
    /// Turned to a side.
    TurnedAway {
        /// Turn.
        measured: f32,
        /// The most.
        most: f32,
    },
    /// Raised or lowered.
    Nodding {
        /// Nod.
        measured: f32,
        /// The most.
        most: f32,
    },
    /// Tilted to a shoulder.
    Tilted {
        /// Degrees.
        measured: f32,
        /// The most.
        most: f32,
    },
    /// A picture of a picture.
    NotLive,
    /// Something a newer vision process minds.
    #[serde(other)]
    Other,
}

impl Reason {
    /// Every code there is: the language files have words for each.
    pub const CODES: [&str; 16] = [
        "photo-not-a-photo",
        "photo-too-large",
        "photo-no-face",
        "photo-several-faces",
        "photo-unsure",
        "photo-too-small",
        "photo-cut-off",
        "photo-blurred",
        "photo-too-dark",
        "photo-too-bright",
        "photo-too-flat",
        "photo-turned-away",
        "photo-nodding",
        "photo-tilted",
        "photo-not-live",
        "photo-other",
    ];

    /// The stable kind.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAPhoto => "photo-not-a-photo",
            Self::TooLarge => "photo-too-large",
            Self::NoFace => "photo-no-face",
            Self::SeveralFaces { .. } => "photo-several-faces",
            Self::Unsure { .. } => "photo-unsure",
            Self::TooSmall { .. } => "photo-too-small",
            Self::CutOff { .. } => "photo-cut-off",
            Self::Blurred { .. } => "photo-blurred",
            Self::TooDark { .. } => "photo-too-dark",
            Self::TooBright { .. } => "photo-too-bright",
            Self::TooFlat { .. } => "photo-too-flat",
            Self::TurnedAway { .. } => "photo-turned-away",
            Self::Nodding { .. } => "photo-nodding",
            Self::Tilted { .. } => "photo-tilted",
            Self::NotLive => "photo-not-live",
            Self::Other => "photo-other",
        }
    }

    /// What was measured and what it must reach, by name.
    #[must_use]
    pub fn numbers(&self) -> Vec<(&'static str, f32)> {
        match *self {
            Self::NotAPhoto | Self::TooLarge | Self::NoFace | Self::NotLive | Self::Other => Vec::new(),
            Self::SeveralFaces { count } => vec![("count", count as f32)],
            Self::Unsure { measured, least }
            | Self::TooSmall { measured, least }
            | Self::CutOff { measured, least }
            | Self::Blurred { measured, least }
            | Self::TooDark { measured, least }
            | Self::TooFlat { measured, least } => vec![("measured", measured), ("least", least)],
            Self::TooBright { measured, most }
            | Self::TurnedAway { measured, most }
            | Self::Nodding { measured, most }
            | Self::Tilted { measured, most } => vec![("measured", measured), ("most", most)],
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAPhoto => f.write_str("the file is not a JPEG or PNG picture, or it is damaged"),
            Self::TooLarge => f.write_str("the picture is too large: at most 8 MiB"),
            Self::NoFace => f.write_str("there is no face in the picture"),
            Self::SeveralFaces { count } => {
                write!(f, "there are {count} faces in the picture, it must show one person alone")
            }
            Self::Unsure { .. } => f.write_str("the face is not clearly to be seen"),
            Self::TooSmall { measured, least } => {
                write!(f, "the face is too small: {measured:.0} pixels wide, at least {least:.0} are needed")
            }
            Self::CutOff { .. } => f.write_str("the edge of the picture cuts the face off"),
            Self::Blurred { .. } => f.write_str("the face is blurred"),
            Self::TooDark { .. } => f.write_str("the face is too dark"),
            Self::TooBright { .. } => f.write_str("the face is too bright"),
            Self::TooFlat { .. } => f.write_str("the picture has too little contrast"),
            Self::TurnedAway { .. } => {
                f.write_str("the face is turned to a side: look straight at the camera")
            }
            Self::Nodding { .. } => f.write_str("the head is raised or lowered: look straight at the camera"),
            Self::Tilted { .. } => f.write_str("the head is tilted: hold it upright"),
            Self::NotLive => f.write_str("it looks like a picture of a picture, not like a living face"),
            Self::Other => f.write_str("the picture cannot be used"),
        }
    }
}
