//! The vision process: capture, detection, liveness, embedding.
