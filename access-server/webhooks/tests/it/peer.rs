//! What is told, before the Standard Webhooks project's own library.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use kit::testing::databases;
use kit::{Clock, Db, Keys, Kit};
use serde_json::json;
use webhooks::{Topic, Way};

use crate::receiver::{Receiver, administrator, hook, journal};

/// Takes what was told as it came, and nothing that differs from it.
const JUDGE: &str = r"
import json, sys
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
told = json.load(sys.stdin)
print(Webhook(told['secret']).verify(told['body'], told['headers'])['type'])
for body, secret in ((told['body'] + ' ', told['secret']), (told['body'], 'whsec_' + 'A' * 44)):
    try:
        Webhook(secret).verify(body, told['headers'])
    except WebhookVerificationError:
        continue
    sys.exit('taken, and it is not ours')
";

#[tokio::test]
async fn the_reference_library_takes_what_is_told_and_nothing_else() {
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.gatehouse/bench/python-webhooks/bin/python");
    assert!(Path::new(python).exists(), "`cargo xtask setup` installs the library");
    let [database, _] = databases().await;
    let db = Db::open(&database.address).await.unwrap();
    db.migrate(&[kit::journal::MIGRATIONS, webhooks::MIGRATIONS].concat(), Clock::Real.now()).await.unwrap();
    // The library looks at the time.
    let kit = Kit::new(db, Clock::Real, Keys::ephemeral(), None).unwrap();
    let receiver = Receiver::listen().await;
    let by = administrator(&kit).await;
    let (_, secret) = hook(&kit, by, &receiver.address(), &[Topic::People]).await;
    journal(&kit, "person.added").await;
    let telling = tokio::spawn(webhooks::run(kit.clone(), Way::new(None, true).unwrap()));
    let told = receiver.told(1).await.remove(0);
    telling.abort();

    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: serde_json::Map<_, _> =
        names.into_iter().map(|name| (name.to_owned(), told.header(name).into())).collect();
    let body = String::from_utf8(told.body.clone()).unwrap();
    let said = json!({ "secret": secret.text(), "headers": headers, "body": body });
    let mut judge = Command::new(python)
        .args(["-c", JUDGE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    judge.stdin.take().unwrap().write_all(said.to_string().as_bytes()).unwrap();
    let judged = judge.wait_with_output().unwrap();
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
    assert_eq!(String::from_utf8_lossy(&judged.stdout).trim(), "person.added");
}
