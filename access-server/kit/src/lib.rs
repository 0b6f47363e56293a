//! What every slice shares: pool, journal, auth, problems, clock, event stream.
