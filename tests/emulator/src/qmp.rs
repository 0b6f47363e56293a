//! QEMU's monitor protocol: JSON commands and events.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::EmulatorError;

const ANSWER_WITHIN: Duration = Duration::from_secs(10);

struct Line {
    write: UnixStream,
    answers: Receiver<Value>,
}

/// The connection; commands from several threads take turns.
pub(crate) struct Qmp {
    line: Mutex<Line>,
}

impl Qmp {
    /// Greets and leaves negotiation; the receiver gets the names of events and ends with the emulator.
    pub(crate) fn over(stream: UnixStream) -> Result<(Self, Receiver<Value>), EmulatorError> {
        let read = stream.try_clone().map_err(EmulatorError::io("monitor socket"))?;
        let (tell, answers) = channel();
        let (report, events) = channel();
        thread::spawn(move || {
            for line in BufReader::new(read).lines().map_while(Result::ok) {
                let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
                let _ =
                    if message.get("event").is_some() { report.send(message) } else { tell.send(message) };
            }
        });
        let qmp = Self { line: Mutex::new(Line { write: stream, answers }) };
        qmp.answer("greeting")?;
        qmp.ask("qmp_capabilities", json!({}))?;
        Ok((qmp, events))
    }

    /// Runs a command; gives what it returns.
    pub(crate) fn ask(&self, command: &str, arguments: Value) -> Result<Value, EmulatorError> {
        let text = format!("{}\n", json!({ "execute": command, "arguments": arguments }));
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.write.write_all(text.as_bytes()).map_err(EmulatorError::io("monitor socket"))?;
        let answer = receive(&line, command)?;
        match answer.get("return") {
            Some(result) => Ok(result.clone()),
            None => Err(EmulatorError::Refused { command: command.to_owned(), answer: answer.to_string() }),
        }
    }

    fn answer(&self, to: &str) -> Result<Value, EmulatorError> {
        receive(&self.line.lock().unwrap_or_else(PoisonError::into_inner), to)
    }
}

fn receive(line: &Line, command: &str) -> Result<Value, EmulatorError> {
    line.answers.recv_timeout(ANSWER_WITHIN).map_err(|_| EmulatorError::Timeout {
        what: format!("no answer to `{command}`"),
        within: ANSWER_WITHIN,
    })
}
