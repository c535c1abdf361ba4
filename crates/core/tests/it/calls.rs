//! The dispatcher: what is tried again and what is not, and that nothing is ever lost.
