//! QEMU's qtest protocol: one line asked, one line answered, edges told in between.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::EmulatorError;
use crate::edges::{Edges, RawEdge};

const ANSWER_WITHIN: Duration = Duration::from_secs(10);

struct Line {
    write: UnixStream,
    answers: Receiver<String>,
}

/// The connection; commands from several threads take turns.
pub(crate) struct Qtest {
    line: Mutex<Line>,
    pub(crate) edges: Arc<Edges>,
}

impl Qtest {
    pub(crate) fn over(stream: UnixStream, edges: Arc<Edges>) -> Result<Self, EmulatorError> {
        let read = stream.try_clone().map_err(EmulatorError::io("qtest socket"))?;
        let (tell, answers) = channel();
        let log = Arc::clone(&edges);
        thread::spawn(move || {
            for line in BufReader::new(read).lines().map_while(Result::ok) {
                let at = Instant::now();
                match edge(&line) {
                    Some((number, high)) => log.push(RawEdge { number, high, at }),
                    None => {
                        if tell.send(line).is_err() {
                            return;
                        }
                    }
                }
            }
        });
        Ok(Self { line: Mutex::new(Line { write: stream, answers }), edges })
    }

    /// Sends `command`; gives what follows `OK`.
    pub(crate) fn ask(&self, command: &str) -> Result<String, EmulatorError> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.write.write_all(format!("{command}\n").as_bytes()).map_err(EmulatorError::io("qtest socket"))?;
        let answer = line.answers.recv_timeout(ANSWER_WITHIN).map_err(|_| EmulatorError::Timeout {
            what: format!("no answer to `{command}`"),
            within: ANSWER_WITHIN,
        })?;
        match answer.strip_prefix("OK") {
            Some(rest) => Ok(rest.trim().to_owned()),
            None => Err(EmulatorError::Refused { command: command.to_owned(), answer }),
        }
    }

    /// Reads a 32-bit word of the board's memory.
    pub(crate) fn read_word(&self, address: u32) -> Result<u32, EmulatorError> {
        let command = format!("readl {address:#x}");
        let answer = self.ask(&command)?;
        let digits = answer.trim_start_matches("0x");
        match u64::from_str_radix(digits, 16) {
            Ok(word) => Ok((word & 0xFFFF_FFFF) as u32),
            Err(_) => Err(EmulatorError::Refused { command, answer }),
        }
    }
}

fn edge(line: &str) -> Option<(u8, bool)> {
    let told = line.strip_prefix("IRQ ")?;
    let (word, number) = told.split_once(' ')?;
    Some((number.trim().parse().ok()?, word == "raise"))
}
