//! Under systemd: sockets that it listens with already, and the word that we are ready.

use std::net::TcpListener;

use anyhow::{Context, bail};
use listenfd::ListenFd;
use sd_notify::NotifyState;
use seaworthy_agent::api::types::FleetView;
use seaworthy_core::fleet::Fleet;

/// The sockets that we were started with, and their names (`FileDescriptorName=`) if they have any.
pub(super) fn sockets() -> anyhow::Result<Vec<(Option<String>, TcpListener)>> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let names: Vec<&str> = names.split(':').collect();
    let mut given = ListenFd::from_env();
    let mut sockets = Vec::new();
    for place in 0..given.len() {
        let socket = given.take_tcp_listener(place);
        let socket = socket.with_context(|| format!("socket {place} that systemd passed"))?;
        let name = names.get(place).filter(|name| !name.is_empty() && **name != "unknown");
        sockets.extend(socket.map(|socket| (name.map(|name| (*name).to_owned()), socket)));
    }
    Ok(sockets)
}

/// Whose each socket is: the service of its name, or the one that is to listen where it does.
pub(super) fn assign(
    sockets: Vec<(Option<String>, TcpListener)>,
    fleet: &Fleet,
) -> anyhow::Result<Vec<(String, TcpListener)>> {
    let whose = |(name, socket): (Option<String>, TcpListener)| {
        let address = socket.local_addr()?;
        let named = name.as_deref().and_then(|name| fleet.service(name));
        let there = || fleet.services.iter().find(|service| service.listen == address);
        let Some(service) = named.or_else(there) else {
            let allowed: Vec<&str> = fleet.services.iter().map(|s| s.name.as_str()).collect();
            bail!(
                "systemd passed a socket that listens at {address}: no service listens there and none \
                 is called {:?}; allowed as FileDescriptorName= is {}",
                name.as_deref().unwrap_or("(no name)"),
                allowed.join(", ")
            );
        };
        let wanted = service.listen;
        if wanted.port() != 0 && wanted != address {
            bail!(
                "systemd passed a socket for {} that listens at {address}, but its `listen` is {wanted}; \
                 allowed is the same in both, or port 0 in the fleet file",
                service.name
            );
        }
        Ok((service.name.clone(), socket))
    };
    sockets.into_iter().map(whose).collect()
}

/// Tells systemd, if it started us, that the fleet is up.
pub(super) fn ready(view: &FleetView) {
    let tasks: u32 = view.services.iter().map(|service| service.in_rotation).sum();
    let status = format!("{} services, {tasks} tasks in rotation", view.services.len());
    // Whoever did not start us this way does not listen.
    let _ = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&status)]);
}
