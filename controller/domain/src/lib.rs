//! The rules of access: policy, areas and the one decision function.
