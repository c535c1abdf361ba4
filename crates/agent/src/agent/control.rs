//! What the agent is asked over its API, and what it does then.

use seaworthy_core::cluster::reconciler::Event;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::fleet::MOST_TASKS;

use super::managed::Managed;
use super::{Agent, Renewal};
use crate::api::types::{
    Deployed, DownReply, LogLine, LogsQuery, Scale, Scaled, TaskView, Upgrade,
};
use crate::api::{ApiError, Ask, Logs};
use crate::messages::ToKeeper;

impl Agent {
    /// Answers, and does what is asked. Whoever asked may be gone: that does not matter.
    pub(super) fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Fleet(reply) => drop(reply.send(Ok(self.fleet_view()))),
            Ask::Tasks(reply) => drop(reply.send(Ok(self.task_views()))),
            Ask::Events(query, reply) => drop(reply.send(Ok(self.journal.events(&query)))),
            Ask::Logs(query, reply) => drop(reply.send(Ok(self.logs(&query)))),
            Ask::Revisions(service, reply) => {
                let place = self.place(&service);
                drop(reply.send(place.map(|place| self.services[place].revision_views())));
            }
            Ask::Deploy(deploy, reply) => self.deploy(*deploy, reply),
            Ask::Rollback(service, reply) => {
                drop(reply.send(self.change(|agent| agent.roll_back(&service))));
            }
            Ask::Scale(service, scale, reply) => {
                drop(reply.send(self.change(|agent| agent.scale(&service, scale))));
            }
            Ask::Stop(task, reply) => {
                drop(reply.send(self.change(|agent| agent.tell(task, Event::Stop(task)))));
            }
            Ask::Drain(task, reply) => {
                drop(reply.send(self.change(|agent| agent.tell(task, Event::Drain(task)))));
            }
            Ask::Down(reply) => drop(reply.send(self.end())),
            Ask::Upgrade(Upgrade { program }, reply) => match self.can_change() {
                Ok(()) => {
                    self.keeper.tell(ToKeeper::Upgrade(program));
                    self.renewal = Some(Renewal::Upgrade(reply));
                }
                Err(error) => drop(reply.send(Err(error))),
            },
        }
    }

    /// Nobody prepares what should follow on us if there is no keeper any more.
    pub(super) fn look_for_keeper(&mut self) {
        if self.renewal.is_some()
            && let Err(error) = self.must_have_keeper()
        {
            self.renew(Err(error.to_string()));
        }
    }

    /// Everything retires. Where that cannot be written down, as on a full disk, it is wanted all the more.
    fn end(&mut self) -> Result<DownReply, ApiError> {
        self.must_have_keeper()?;
        let tasks = self.task_views().len() as u32;
        self.down();
        Ok(DownReply { tasks })
    }

    /// Whether the service at `place` has not been taken down.
    pub(super) fn stays(&self, place: usize) -> Result<(), ApiError> {
        let managed = &self.services[place];
        if managed.reconciler.goes_down() {
            let problem = format!("`{}` is on its way out", managed.service.name);
            let allowed = "what is not about it, until its last task is gone".to_owned();
            return Err(ApiError::conflict(problem, allowed));
        }
        Ok(())
    }

    pub(super) fn place(&self, service: &str) -> Result<usize, ApiError> {
        let named = |managed: &Managed| managed.service.name == service;
        self.services.iter().position(named).ok_or_else(|| {
            let known = self.services.iter().map(|managed| managed.service.name.as_str());
            ApiError::no_such_service(service, known)
        })
    }

    fn tell(&mut self, task: TaskId, event: Event) -> Result<TaskView, ApiError> {
        let views = self.task_views();
        let view = views.iter().find(|view| view.task == task).cloned();
        let known = views.iter().map(|view| view.task);
        let view = view.ok_or_else(|| ApiError::no_such_task(task, known))?;
        self.drive_of(task, event);
        Ok(view)
    }

    fn scale(&mut self, service: &str, Scale { count }: Scale) -> Result<Scaled, ApiError> {
        let place = self.place(service)?;
        self.stays(place)?;
        let managed = &self.services[place];
        if let Some(bounds) = &managed.service.cluster.autoscaling
            && !(bounds.minimum..=bounds.maximum).contains(&count)
        {
            let problem = format!("`{service}` follows its load");
            let allowed = format!("{} to {} tasks", bounds.minimum, bounds.maximum);
            return Err(ApiError::conflict(problem, allowed));
        }
        if count > MOST_TASKS {
            let problem = format!("{count} tasks are too many");
            return Err(ApiError::invalid(problem, format!("0 to {MOST_TASKS}")));
        }
        let was = managed.reconciler.desired_count();
        self.drive(place, Some(Event::Scale(count)));
        Ok(Scaled { service: service.to_owned(), desired: count, was })
    }

    fn roll_back(&mut self, service: &str) -> Result<Deployed, ApiError> {
        let place = self.place(service)?;
        self.stays(place)?;
        let reconciler = &self.services[place].reconciler;
        let (from, to) = (reconciler.revision(), reconciler.rollback_to());
        let Some(revision) = to else {
            let problem =
                format!("no revision of `{service}` was completed before revision {from}");
            return Err(ApiError::conflict(problem, "a deployment".to_owned()));
        };
        self.drive(place, Some(Event::Rollback));
        Ok(Deployed { service: service.to_owned(), revision, from: Some(from) })
    }

    fn logs(&mut self, query: &LogsQuery) -> Logs {
        // From here on, nothing is told twice and nothing is lost.
        self.tell_output();
        let wanted = |task: &TaskId| {
            let service = self.service_of(*task);
            query.wants(&service, *task).then_some((*task, service))
        };
        let tasks = self.outputs.tasks();
        let past = tasks.iter().filter_map(wanted).flat_map(|(task, service)| {
            let told = self.outputs.told(task, query.lines());
            told.into_iter().map(move |line| LogLine { task, service: service.clone(), line })
        });
        Logs { past: past.collect(), more: query.follow.then(|| self.lines.subscribe()) }
    }
}
