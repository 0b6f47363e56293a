//! As much of W3C WebDriver as these tests need: JSON over plain HTTP to a chromedriver on loopback.
//!
//! Written out here because it is a dozen requests; clients from the registry bring an asynchronous HTTP stack of their own.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// How the driver's answer begins when an element was drawn anew since it was found.
const REDRAWN: &str = "stale element reference";
/// The key under which an element's reference travels (WebDriver, 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// A page shows what it is asked for within this, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(50);

/// One browser with one page. Dropping it ends the browser.
pub(crate) struct Session {
    agent: ureq::Agent,
    address: String,
}

/// Something on the page.
#[derive(Clone, Debug)]
pub(crate) struct Element(String);

/// A line of the browser's own log.
#[derive(Debug)]
pub(crate) struct Line {
    /// `SEVERE` for errors.
    pub(crate) level: String,
    /// What, with its source.
    pub(crate) message: String,
}

impl Session {
    /// Begins a session with a chromedriver that listens on `port`.
    pub(crate) fn begin(port: u16, capabilities: &Value) -> Result<Self> {
        // Answers of the driver that say no are read like the others: they have the reason in them.
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .build()
            .into();
        let mut session = Self { agent, address: format!("http://127.0.0.1:{port}") };
        let answer = session.post("/session", &json!({ "capabilities": { "alwaysMatch": capabilities } }))?;
        let id = answer["sessionId"].as_str().context("the driver gave no session")?;
        session.address = format!("{}/session/{id}", session.address);
        Ok(session)
    }

    /// Goes to an address.
    pub(crate) fn go(&self, address: &str) -> Result<()> {
        self.post("/url", &json!({ "url": address })).map(drop)
    }

    /// What is there with this role and these words: in its accessible name or, for what is not named, to be seen in it.
    pub(crate) fn all(&self, role: &str, words: &[&str]) -> Result<Vec<Element>> {
        let candidates = match role {
            "button" => "button",
            "heading" => "h1, h2, h3",
            "link" => "a[href]",
            "listitem" => "li",
            "status" => "[role=status]",
            "alert" => "[role=alert]",
            "searchbox" => "input[type=search]",
            "textbox" => "input",
            "checkbox" => "input[type=checkbox]",
            "image" => "img",
            _ => bail!("no test looks for a {role} yet"),
        };
        // One look at the whole page; only what may be meant is then looked at closely.
        let script = "return [...document.querySelectorAll(arguments[0])].filter(it => !arguments[1] || \
                      arguments[2].every(word => it.textContent.includes(word)))";
        let by_content = matches!(role, "listitem" | "status" | "alert");
        let found = self.run_with(script, &json!([candidates, by_content, words]))?;
        let found = found.as_array().context("a list of elements")?.iter();
        let mut elements = Vec::new();
        for element in found.filter_map(|it| it[ELEMENT].as_str()).map(|id| Element(id.to_owned())) {
            let text = if by_content { self.text(&element) } else { self.label(&element) };
            // What was redrawn since is looked for again by whoever waits.
            let Ok(text) = text else { continue };
            if words.iter().all(|word| text.contains(word)) && self.has_role(&element, role) {
                elements.push(element);
            }
        }
        Ok(elements)
    }

    /// Waits for something with this role and these words.
    pub(crate) fn find(&self, role: &str, words: &[&str]) -> Result<Element> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(first) = self.all(role, words)?.into_iter().next() {
                return Ok(first);
            }
            if Instant::now() > end {
                bail!("no {role} with {words:?} within {PATIENCE:?}; the page says:\n{}", self.page()?);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until nothing with this role and these words is there.
    pub(crate) fn gone(&self, role: &str, words: &[&str]) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while !self.all(role, words)?.is_empty() {
            ensure!(Instant::now() < end, "a {role} with {words:?} is still there after {PATIENCE:?}");
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Waits until a script in the page returns true.
    pub(crate) fn holds(&self, script: &str) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while self.run(script)? != true {
            ensure!(Instant::now() < end, "not within {PATIENCE:?}: {script}");
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// The text that is to be seen in an element.
    pub(crate) fn text(&self, element: &Element) -> Result<String> {
        Ok(self.get(&format!("/element/{}/text", element.0))?.as_str().unwrap_or_default().to_owned())
    }

    /// The text that is to be seen on the page.
    pub(crate) fn page(&self) -> Result<String> {
        Ok(self.run("return document.body.innerText")?.as_str().unwrap_or_default().to_owned())
    }

    /// Presses an element.
    pub(crate) fn press(&self, element: &Element) -> Result<()> {
        self.post(&format!("/element/{}/click", element.0), &json!({})).map(drop)
    }

    /// Waits for something with this role and these words and presses it; what was redrawn since is looked for again.
    pub(crate) fn press_on(&self, role: &str, words: &[&str]) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.press(&self.find(role, words)?) {
                Err(fault) if fault.to_string().starts_with(REDRAWN) && Instant::now() < end => {}
                other => return other,
            }
        }
    }

    /// Types into an element.
    pub(crate) fn type_into(&self, element: &Element, text: &str) -> Result<()> {
        self.post(&format!("/element/{}/value", element.0), &json!({ "text": text })).map(drop)
    }

    /// Runs a script in the page; what it returns.
    pub(crate) fn run(&self, script: &str) -> Result<Value> {
        self.run_with(script, &json!([]))
    }

    fn run_with(&self, script: &str, arguments: &Value) -> Result<Value> {
        self.post("/execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// From now on the machine has a device for passkeys, as a laptop's with a fingerprint reader, whose owner is there and
    /// agrees (Web Authentication, 11).
    pub(crate) fn has_authenticator(&self) -> Result<()> {
        let device = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
            "isUserConsenting": true, "isUserVerified": true,
        });
        self.post("/webauthn/authenticator", &device).map(drop)
    }

    /// A command of the DevTools protocol.
    pub(crate) fn devtools(&self, command: &str, parameters: &Value) -> Result<Value> {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// What the browser has logged since it was last asked.
    pub(crate) fn log(&self) -> Result<Vec<Line>> {
        let lines = self.post("/se/log", &json!({ "type": "browser" }))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let lines = lines.as_array().context("a list of lines")?.iter();
        Ok(lines.map(|line| Line { level: text(&line["level"]), message: text(&line["message"]) }).collect())
    }

    fn has_role(&self, element: &Element, role: &str) -> bool {
        let computed = self.get(&format!("/element/{}/computedrole", element.0));
        computed.is_ok_and(|it| it == role)
    }

    fn label(&self, element: &Element) -> Result<String> {
        let label = self.get(&format!("/element/{}/computedlabel", element.0))?;
        Ok(label.as_str().unwrap_or_default().to_owned())
    }

    fn get(&self, path: &str) -> Result<Value> {
        read(self.agent.get(format!("{}{path}", self.address)).call()?)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.agent.post(format!("{}{path}", self.address));
        read(request.header("content-type", "application/json").send(body.to_string())?)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A driver that is gone has nothing left to end.
        let _ = self.agent.delete(&self.address).call();
    }
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Result<Value> {
    // A screenshot is some megabytes of base64.
    let text = response.body_mut().with_config().limit(64 << 20).read_to_string()?;
    let mut answer: Value = serde_json::from_str(&text).context("the driver's answer is not JSON")?;
    let value = answer["value"].take();
    if let Some(error) = value.get("error").and_then(Value::as_str) {
        bail!("{error}: {}", value["message"].as_str().unwrap_or_default());
    }
    Ok(value)
}
