//! Areas, doors, schedules, access levels, and the policy made from them.
