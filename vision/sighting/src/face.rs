//! A face in a picture.

/// A place in a picture, in pixels from its upper left corner.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Downwards.
    pub y: f32,
}

/// An upright rectangle, in pixels. It may reach beyond the picture.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rect {
    /// Its left edge.
    pub x: f32,
    /// Its upper edge.
    pub y: f32,
    /// How wide it is.
    pub width: f32,
    /// How tall it is.
    pub height: f32,
}

/// The size of a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// How wide.
    pub width: u32,
    /// How tall.
    pub height: u32,
}

/// What the detector found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Face {
    /// The box around it.
    pub rect: Rect,
    /// The eye on the picture's left, the other eye, the tip of the nose, the mouth's corners likewise.
    pub landmarks: [Point; 5],
    /// How sure the detector is, 0 to 1.
    pub score: f32,
}

impl Rect {
    /// Its area.
    pub fn area(&self) -> f32 {
        self.width.max(0.0) * self.height.max(0.0)
    }

    /// Its middle.
    pub fn centre(&self) -> Point {
        Point { x: self.x + self.width / 2.0, y: self.y + self.height / 2.0 }
    }

    /// Intersection over union, 0 to 1.
    pub fn overlap(&self, other: &Self) -> f32 {
        let width = (self.x + self.width).min(other.x + other.width) - self.x.max(other.x);
        let height = (self.y + self.height).min(other.y + other.height) - self.y.max(other.y);
        let shared = width.max(0.0) * height.max(0.0);
        let all = self.area() + other.area() - shared;
        if all > 0.0 { (shared / all).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The part of it that lies inside the picture, 0 to 1.
    pub fn inside(&self, frame: Frame) -> f32 {
        let width = (self.x + self.width).min(frame.width as f32) - self.x.max(0.0);
        let height = (self.y + self.height).min(frame.height as f32) - self.y.max(0.0);
        let area = self.area();
        if area > 0.0 { (width.max(0.0) * height.max(0.0) / area).clamp(0.0, 1.0) } else { 0.0 }
    }
}
