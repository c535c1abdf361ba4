//! The agent's memory: what is done is written down first, or it is not done.

use super::Agent;
use crate::Error;
use crate::api::ApiError;
use crate::directory;
use crate::error::describe;
use crate::say::say;

impl Agent {
    /// Writes down what must not be forgotten, before anybody hears of it. If the disk is full, the
    /// fleet goes on, and what was written before stays.
    pub(super) fn save(&mut self) {
        let listen = self.dashboard.as_ref().map(|(address, _)| *address);
        let stored = &self.stored;
        let is_news = self.unsaved
            || listen != stored.listen
            || self.origin != stored.origin
            || self.processes != stored.processes
            || self.services.len() != stored.services.len()
            || self.services.iter().any(|managed| !managed.is_stored(&stored.services));
        if is_news {
            // It has been said if it cannot be, and is tried again.
            let _ = self.write_down();
        }
    }

    /// Writes it down, be it news or not.
    fn write_down(&mut self) -> Result<(), Error> {
        let stored = &mut self.stored;
        stored.listen = self.dashboard.as_ref().map(|(address, _)| *address);
        stored.origin.clone_from(&self.origin);
        stored.processes.clone_from(&self.processes);
        let services = self.services.iter();
        stored.services =
            services.map(|managed| (managed.service.name.clone(), managed.stored())).collect();
        let written = directory::write(&self.directory.state(), &*stored);
        let before = std::mem::replace(&mut self.unsaved, written.is_err());
        match &written {
            Err(error) if !before => say(format_args!(
                "agent: {}; what happens from now on is lost if the agent ends",
                describe(error)
            )),
            Ok(()) if before => say(format_args!("agent: its state is written again")),
            _ => {}
        }
        written
    }

    /// Does what was asked for, and writes it down before anybody hears that it is done.
    pub(super) fn change<T>(
        &mut self,
        what: impl FnOnce(&mut Self) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        self.can_change()?;
        let done = what(self)?;
        match self.write_down() {
            Ok(()) => Ok(done),
            Err(error) => {
                let error = describe(&error);
                Err(ApiError::failed(format!("{error}; it is done, until the agent ends")))
            }
        }
    }

    /// Whether somebody is there who starts and ends processes, and what changes can be written down.
    pub(super) fn can_change(&mut self) -> Result<(), ApiError> {
        self.must_have_keeper()?;
        self.write_down().map_err(|error| ApiError::failed(describe(&error)))
    }

    pub(super) fn must_have_keeper(&self) -> Result<(), ApiError> {
        if self.keeper.lives() {
            return Ok(());
        }
        Err(ApiError::without_keeper(self.directory.path()))
    }
}
