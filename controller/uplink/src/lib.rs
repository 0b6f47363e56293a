//! What controller, vision and server say to each other: topics and payloads, versioned.
