//! A balancer's admin API, as a program asks it: one HTTP/1.1 request a connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use balancer::admin::api::{EventRow, NodeRow, Problem};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::failure::{Failure, Outcome};

/// An answer takes so long at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the API listens.
#[derive(Clone, Copy, Debug)]
pub struct Api {
    address: SocketAddr,
}

impl Api {
    /// At this address.
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Asks, and gives the body of an answer that is no refusal.
    ///
    /// # Errors
    /// Exit code 3: the API does not answer, or refuses, in its own words.
    pub async fn ask(&self, method: &str, path: &str, body: &str) -> Outcome<String> {
        let text = match timeout(PATIENCE, self.exchange(method, path, body)).await {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => return Err(self.failed(&error.to_string())),
            Err(_) => return Err(self.failed("no answer")),
        };
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| self.failed("half an answer"))?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok()).unwrap_or(0);
        if (200..300).contains(&status) {
            return Ok(body.to_owned());
        }
        Err(match serde_json::from_str::<Problem>(body) {
            Ok(problem) if problem.allowed.is_empty() => Failure::surroundings(problem.error),
            Ok(problem) => {
                Failure::surroundings(format!("{} (allowed: {})", problem.error, problem.allowed.join(", ")))
            }
            Err(_) => self.failed(&format!("status {status}")),
        })
    }

    /// The events after one.
    ///
    /// # Errors
    /// See [`Api::ask`].
    pub async fn events(&self, after: u64) -> Outcome<Vec<EventRow>> {
        let text = self.ask("GET", &format!("/events?after={after}"), "").await?;
        serde_json::from_str(&text).map_err(|error| self.failed(&error.to_string()))
    }

    /// The nodes.
    ///
    /// # Errors
    /// See [`Api::ask`].
    pub async fn nodes(&self) -> Outcome<Vec<NodeRow>> {
        let text = self.ask("GET", "/nodes", "").await?;
        serde_json::from_str(&text).map_err(|error| self.failed(&error.to_string()))
    }

    async fn exchange(&self, method: &str, path: &str, body: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.address).await?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    fn failed(&self, why: &str) -> Failure {
        Failure::surroundings(format!("the admin API at {}: {why}", self.address))
    }
}
