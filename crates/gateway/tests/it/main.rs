//! The whole gateway in this process, over real sockets, between raw clients and tasks that do
//! exactly what a script says.

mod bodies;
mod connections;
mod curl;
mod deadlines;
mod exact;
mod framing;
mod garbage;
mod harness;
mod headers;
mod limits;
mod policies;
mod responses;
mod rotation;
mod routes;
mod several;
mod smuggling;
mod tries;
mod upgrades;
