//! The whole gateway in this process, over real sockets, between raw clients and tasks that do
//! exactly what a script says.

mod bodies;
mod connections;
mod deadlines;
mod framing;
mod garbage;
mod harness;
mod headers;
mod policies;
mod responses;
mod rotation;
mod routes;
mod tries;
