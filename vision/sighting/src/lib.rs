//! From detections to a sighting: quality, tracking, voting.
