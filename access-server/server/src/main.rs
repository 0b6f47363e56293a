//! `gatehouse-server`: the access server and what an administrator does on its command line.

mod arguments;

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Parser as _;
use devices::EnrolmentId;
use doors::import::{Options, Photos};
use kit::auth::{self, OperatorError, Role};
use kit::journal::{CheckpointLog, events_after, verify};
use kit::pki::{Authority, Holder, is_host};
use kit::{Clock, Db};
use people::word::Word as _;
use roster::draft::{Draft, Fate};
use roster::import::Begun;
use serde::Serialize;
use serde_json::value::RawValue;
use server::backup::{self, Wanted};
use server::config::Config;
use server::set_up::{NewSite, init};
use server::slices::{self, InForce};
use server::{check, private, serve};
use tracing_subscriber::EnvFilter;

use self::arguments::{Arguments, Command, Devices, Operators, Pki};

#[tokio::main]
async fn main() -> ExitCode {
    let command = Arguments::parse().command;
    // A server's log is its account; a command says its own words, and of others' only what is wrong.
    let usual = if matches!(command, Command::Serve { .. }) { "info" } else { "warn,sqlx=error" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    rustls::crypto::ring::default_provider().install_default().expect("nothing else was installed before");
    match run(command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("gatehouse-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Init { directory, hosts, database, listen, broker, embed } => {
            let embed = embed.as_deref();
            let site = NewSite {
                directory: &directory,
                hosts: &hosts,
                database: &database,
                listen,
                broker: &broker,
                embed,
            };
            let login = init(&site).await?;
            println!("site set up in {}", directory.display());
            println!("first login: {}", login.name);
            println!("password, shown this once: {}", login.password);
        }
        Command::Serve { config } => serve::serve(&config).await?,
        Command::Verify { config } => return walk(&config).await,
        Command::Import { file, config, dry_run, photographs, without_photographs } => {
            let site = Config::read(&config)?;
            if file.extension().is_some_and(|ending| ending == "csv" || ending == "xlsx") {
                return import_list(&file, &site, dry_run).await;
            }
            let folder = photographs.as_deref().or(file.parent()).unwrap_or(Path::new(""));
            import(&file, folder, &site, dry_run, without_photographs).await?;
        }
        Command::Journal { config, after } => print_journal(&Config::read(&config)?, after).await?,
        Command::Check { config } => {
            let report = check::every(&config).await;
            print!("{report}");
            return Ok(if report.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Backup { config, to, keys, passphrase_file } => {
            let passphrase = if keys { read_passphrase(passphrase_file.as_deref())? } else { None };
            let saved = backup::save(&config, &to, passphrase.as_deref()).await?;
            println!("saved to {}: {} bytes", saved.path.display(), saved.bytes);
            println!("{} rows, the journal up to record {}", saved.rows, saved.record);
            if !keys {
                println!(
                    "without the secret keys: a site cannot be served without them; keep them elsewhere, or say --keys"
                );
            }
        }
        Command::Restore { from, directory, database, passphrase_file, without_keys } => {
            let passphrase = read_passphrase(passphrase_file.as_deref())?;
            let (from, directory, passphrase) = (&from, &directory, passphrase.as_deref());
            let wanted = Wanted { from, directory, database: &database, passphrase, without_keys };
            return restore(&wanted).await;
        }
        Command::Migrate { config } => {
            let config = Config::read(&config)?;
            let db = Db::open(config.database.get_ref()).await?;
            let applied = db.migrate(&slices::migrations(), Clock::Real.now()).await?;
            println!("{applied} migrations applied");
        }
        Command::Pki(Pki::Issue { name, directory, out, hosts }) => {
            let holder =
                Holder::parse(&name).ok_or_else(|| anyhow!("{name} is not a name of a device or service"))?;
            if let Some(host) = hosts.iter().find(|host| !is_host(host)) {
                bail!("{host} is neither a name nor an address");
            }
            let out = out.as_deref().unwrap_or(&directory);
            std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
            let issued = Authority::open(&directory)?.issue(out, &holder, &hosts, Clock::Real.now())?;
            println!("{}\n{}", issued.certificate.display(), issued.key.display());
        }
        Command::Operator(Operators::Add { config, name, role }) => {
            let role = Role::parse(&role).ok_or_else(|| anyhow!("{role} is not a role"))?;
            first_password(&config, &name, Some(role)).await?;
        }
        Command::Operator(Operators::Reset { config, name }) => first_password(&config, &name, None).await?,
        Command::Device(command) => device(command).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What concerns devices and their certificates.
async fn device(command: Devices) -> anyhow::Result<()> {
    let (Devices::Invite { config, .. }
    | Devices::Codes { config }
    | Devices::Withdraw { config, .. }
    | Devices::Certificates { config }
    | Devices::Revoke { config, .. }) = &command;
    let config = Config::read(config)?;
    let kit = serve::open(&config).await?;
    // Before the first start nobody has written down the authority.
    devices::adopt(&kit, &serve::trust(&config)?).await?;
    let mut tx = kit.begin().await?;
    match command {
        Devices::Invite { name, hours, .. } => {
            let invited = devices::invite(&mut tx, None, &name, i64::from(hours) * 3_600_000_000).await?;
            tx.commit().await?;
            println!("code of {name}, shown this once: {}", invited.code.show());
            println!("good until {}, once", backup::time(invited.expires_at));
        }
        Devices::Codes { .. } => {
            for it in devices::invitations(&mut tx).await?.iter().filter(|it| it.is_open(kit.now())) {
                println!("{} {} until {}", it.id.0, it.holder, backup::time(it.expires_at));
            }
            drop(tx);
        }
        Devices::Withdraw { number, .. } => {
            devices::withdraw(&mut tx, None, EnrolmentId(number)).await?;
            tx.commit().await?;
            println!("withdrawn");
        }
        Devices::Certificates { .. } => {
            for it in devices::certificates(&mut tx).await? {
                let standing = it.standing(kit.now()).as_str();
                println!("{} {} until {} {standing}", it.number(), it.holder, backup::time(it.ends_at));
            }
            drop(tx);
        }
        Devices::Revoke { serial, reason, .. } => {
            let number =
                devices::serial(&serial).ok_or_else(|| anyhow!("{serial} is not a serial number"))?;
            devices::revoke(&mut tx, None, &number, &reason).await?;
            tx.commit().await?;
            println!("revoked; a running server tells broker and devices at once, another at its start");
        }
    }
    kit.db().close().await;
    Ok(())
}

fn read_passphrase(file: Option<&Path>) -> anyhow::Result<Option<String>> {
    file.map(|file| private::first_line(file).context("--passphrase-file")).transpose()
}

/// Restores, and says what there is now. Ends with 2 when the journal is not intact.
async fn restore(wanted: &Wanted<'_>) -> anyhow::Result<ExitCode> {
    let restored = backup::restore(wanted).await?;
    let directory = wanted.directory.display();
    println!("restored in {directory}: {} rows, as of {}", restored.rows, backup::time(restored.made_at));
    if restored.migrated > 0 {
        println!("the schema was brought up to date by {} migrations", restored.migrated);
    }
    if !restored.keys {
        println!(
            "the secret keys are not there yet: put them into {directory}/keys and {directory}/pki, with mode 0600"
        );
    }
    if let Some(finding) = restored.report.finding {
        println!("NOT INTACT: {finding}");
        return Ok(ExitCode::from(2));
    }
    println!(
        "intact: the journal up to record {}, signed up to record {}",
        restored.report.records, restored.report.signed_up_to
    );
    println!("nobody is signed in; controllers send again what this journal lacks and they still have");
    Ok(ExitCode::SUCCESS)
}

/// A record as it is printed.
#[derive(Serialize)]
struct Line<'r> {
    seq: u64,
    received: i64,
    source: &'r str,
    epoch: u32,
    stream: &'r str,
    number: u64,
    at: i64,
    kind: &'r str,
    /// As it was journaled, byte for byte: a device may have written numbers that no reader can hold.
    body: &'r RawValue,
}

/// Prints the records after a place. Their bodies are JSON and stand as they were journaled.
async fn print_journal(config: &Config, mut after: u64) -> anyhow::Result<()> {
    const PAGE: u32 = 1000;
    let db = Db::open(config.database.get_ref()).await?;
    let mut out = std::io::stdout().lock();
    loop {
        let records = events_after(db.read(), after, PAGE).await?;
        let Some(last) = records.last() else { break };
        after = last.seq;
        for record in &records {
            let line = Line {
                seq: record.seq,
                received: record.received,
                source: &record.source,
                epoch: record.epoch,
                stream: record.stream.as_str(),
                number: record.number,
                at: record.at,
                kind: &record.kind,
                body: serde_json::from_str(&record.body)?,
            };
            writeln!(out, "{}", serde_json::to_string(&line)?)?;
        }
    }
    db.close().await;
    Ok(())
}

/// Imports a file, and puts in force what it says.
async fn import(
    file: &Path,
    folder: &Path,
    config: &Config,
    dry_run: bool,
    without_photographs: bool,
) -> anyhow::Result<()> {
    let embed = serve::embed(config)?;
    let photos = match &embed {
        Some(service) if !without_photographs => Photos::Enrol(service),
        Some(_) | None => Photos::LeaveOut,
    };
    let kit = serve::open(config).await?;
    let imported = async {
        let options = Options { by: None, dry_run, photos };
        let report = doors::import::import_with_photos_in(&kit, file, folder, &options).await?;
        let mut standing = InForce::Tables;
        if report.kept {
            standing = slices::publish(&kit).await.context("imported, but not in force yet")?;
            kit.checkpoint().await?;
        }
        anyhow::Ok((report, standing))
    };
    let imported = imported.await;
    kit.db().close().await;
    let (report, standing) = imported?;
    print!("{report}");
    if embed.is_none() && !without_photographs {
        eprintln!("gatehouse-server: no [embed] service is configured: photographs were left out");
    }
    println!("{}", if report.kept { "imported" } else { "nothing was changed: this was a dry run" });
    match standing {
        InForce::Tables | InForce::Nothing => Ok(()),
        InForce::Before(fault) => bail!("the policy before stays in force: {fault}"),
    }
}

/// Imports a list of people, all of it or nothing, and puts in force what it says. Ends with 1 when a row is wrong.
async fn import_list(file: &Path, config: &Config, dry_run: bool) -> anyhow::Result<ExitCode> {
    let size = std::fs::metadata(file).with_context(|| format!("{} cannot be read", file.display()))?.len();
    if size > roster::read::UPLOAD_MAX as u64 {
        bail!("{} is larger than {} bytes", file.display(), roster::read::UPLOAD_MAX);
    }
    let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let kit = serve::open(config).await?;
    let imported = async {
        let draft = Draft::read(&kit, "", bytes).await?;
        for row in &draft.plan.rows {
            let Fate::Wrong(wrong) = &row.fate else { continue };
            for wrong in wrong {
                let column = wrong.column.map_or("row", |column| column.word());
                println!("{}:{}: {column}: {}", file.display(), row.line, wrong.code);
            }
        }
        let counts = draft.plan.counts;
        println!(
            "{} new, {} changed, {} as they were, {} wrong",
            counts.new, counts.changed, counts.same, counts.wrong
        );
        if counts.wrong > 0 {
            return Ok(ExitCode::FAILURE);
        }
        if dry_run || !draft.may_begin() {
            println!("nothing was changed");
            return Ok(ExitCode::SUCCESS);
        }
        let Begun::As(import) = roster::import::begin(&kit, None, &draft).await? else {
            bail!("several imports are being written already: try again later");
        };
        while roster::import::get(&kit, import).await?.is_some_and(|it| it.finished_at.is_none()) {
            // A running server may write at the same time: each batch is written once.
            roster::import::advance(&kit).await?;
        }
        slices::publish(&kit).await.context("imported, but not in force yet")?;
        kit.checkpoint().await?;
        println!("imported");
        Ok(ExitCode::SUCCESS)
    };
    let imported = imported.await;
    kit.db().close().await;
    imported
}

/// Adds an operator, or gives one that exists a new first password.
async fn first_password(config: &Path, name: &str, role: Option<Role>) -> anyhow::Result<()> {
    let kit = serve::open(&Config::read(config)?).await?;
    let password = auth::generate_password();
    let done: Result<(), OperatorError> = match role {
        Some(role) => auth::add(&kit, None, name, role, &password).await.map(drop),
        None => auth::reset_password(&kit, None, name, &password).await,
    };
    kit.db().close().await;
    done?;
    println!("password of {name}, shown this once: {password}");
    Ok(())
}

/// How long a running server may take from a checkpoint's commit to its line in the log.
const LINE: Duration = Duration::from_secs(1);

/// Needs neither the secret keys nor a running server.
///
/// Ends with 0 when the journal is intact, with 2 when it is not, with 3 when it is and the checkpoint log does not begin
/// with the first checkpoint, which `init` writes: then the log was emptied, cut or exchanged. One that misses others
/// is told of in words and ends with 0: a full disk and a killed server leave such gaps, and the database covers them.
async fn walk(config: &Path) -> anyhow::Result<ExitCode> {
    let config = Config::read(config)?;
    let public = kit::keys::journal_public(config.keys.get_ref())?;
    let path = config.checkpoints.get_ref();
    let log = CheckpointLog::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let db = Db::open(config.database.get_ref()).await?;
    let report = verify(db.read(), &public, &log).await?;
    db.close().await;
    let checkpoints = report.checkpoints;
    if let Some(finding) = report.finding {
        println!("NOT INTACT: {finding}");
        return Ok(ExitCode::from(2));
    }
    println!(
        "intact: {} records, {} checkpoints, signed up to record {}",
        report.records, checkpoints, report.signed_up_to
    );
    let unlogged = still_unlogged(path, report.unlogged).await?;
    let Some(first) = unlogged.first() else { return Ok(ExitCode::SUCCESS) };
    println!(
        "WARNING: {} lacks {} of the database's {checkpoints} checkpoints, the first of them checkpoint {first}",
        path.display(),
        unlogged.len(),
    );
    Ok(if *first == 1 { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

/// Those of the checkpoints that the log does not hold now either: a running server signed the last ones after it was
/// read.
async fn still_unlogged(path: &Path, mut unlogged: Vec<u64>) -> anyhow::Result<Vec<u64>> {
    for wait in [Duration::ZERO, LINE] {
        if unlogged.is_empty() {
            break;
        }
        tokio::time::sleep(wait).await;
        let log = CheckpointLog::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        unlogged.retain(|number| log.iter().all(|logged| logged.number != *number));
    }
    Ok(unlogged)
}
