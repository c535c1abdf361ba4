//! Fleet and drill files: what is refused, and what it says.
