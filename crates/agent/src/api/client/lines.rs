//! Answers that go on.

use std::marker::PhantomData;

use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use super::{Answer, ClientError};
use crate::api::reply::PAST;

/// Lines of JSON, as they come.
#[derive(Debug)]
pub struct Lines<T> {
    body: Incoming,
    past: usize,
    /// What came, and how much of it has been told.
    buffer: Vec<u8>,
    told: usize,
    of: PhantomData<T>,
}

// === impl Lines ===

impl<T> Lines<T> {
    pub(super) fn new(response: Response<Incoming>) -> Self {
        let past = response.headers().get(PAST).and_then(|past| past.to_str().ok()?.parse().ok());
        let (past, body) = (past.unwrap_or(0), response.into_body());
        Self { body, past, buffer: Vec::new(), told: 0, of: PhantomData }
    }

    /// So many lines of a log, of those to come, were there before, task by task.
    pub fn past(&self) -> usize {
        self.past
    }
}

impl<T: DeserializeOwned> Lines<T> {
    /// The next line; none if the agent has ended.
    pub async fn next(&mut self) -> Result<Option<Answer<T>>, ClientError> {
        loop {
            if let Some(end) = self.buffer[self.told..].iter().position(|byte| *byte == b'\n') {
                let line = &self.buffer[self.told..self.told + end];
                let value = serde_json::from_slice(line).map_err(ClientError::Message)?;
                let json = String::from_utf8_lossy(line).into_owned();
                self.told += end + 1;
                return Ok(Some(Answer { json, value }));
            }
            self.buffer.drain(..self.told);
            self.told = 0;
            match self.body.frame().await {
                Some(Ok(frame)) => self.buffer.extend(frame.into_data().unwrap_or_default()),
                // However it ended: there is no more.
                Some(Err(_)) | None => return Ok(None),
            }
        }
    }
}
