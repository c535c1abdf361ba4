//! Every decision Seaworthy takes, and nothing else.
//!
//! Is this task healthy, what should start or stop, who gets this request, may it be tried again,
//! did the fleet keep its promise? The answers are plain structs that are *told* the time and do no
//! I/O. The gateway, the agent and the drill carry them out in real time; a simulator can carry
//! them out in virtual time and cannot disagree with production about anything but physics.
//!
//! There are two kinds of state machine: a [`Policy`](policy::Policy) is *asked*, a
//! [`Machine`](machine::Machine) is *driven*. Their contracts stand on the traits.
//!
//! | the way of data | the way of control | drills |
//! |---|---|---|
//! | [`target_group`]: checks and calls of one service | [`cluster`]: desired state to actions | [`experiment`]: schedule, four numbers, verdict |
//! | [`health`], [`balance`], [`call`], [`policy`] | [`fleet`]: the fleet file as meant | |
//!
//! The two ways meet in [`endpoints`]: numbered snapshots, of which the latest wins.

pub mod balance;
pub mod call;
pub mod cluster;
pub mod endpoints;
pub mod experiment;
pub mod fleet;
pub mod health;
pub mod machine;
pub mod policy;
pub mod pool;
pub mod random;
pub mod record;
pub mod target_group;
pub mod time;
