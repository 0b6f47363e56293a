//! `gatehouse-server`: the access server and what an administrator does on its command line.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::{Parser, Subcommand};
use doors::import::{Options, Photos};
use kit::auth::{self, OperatorError, Role};
use kit::journal::{CheckpointLog, events_after, verify};
use kit::pki::{Authority, Holder, is_host};
use kit::{Clock, Db};
use serde::Serialize;
use serde_json::value::RawValue;
use server::config::Config;
use server::serve;
use server::set_up::{NewSite, init};
use server::slices::{self, InForce};
use tracing_subscriber::EnvFilter;

/// The access server of a Gatehouse site.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sets up a new site: keys, certificates, configuration, database, first administrator.
    Init {
        /// The directory to make it in.
        #[arg(long)]
        directory: PathBuf,
        /// A name or address of this machine, for its certificates (again for each).
        #[arg(long = "host", default_values_t = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()])]
        hosts: Vec<String>,
        /// `sqlite:FILE` or `postgres://user@host/name`.
        #[arg(long, default_value = "sqlite:site.db")]
        database: String,
        /// Where browsers are listened for.
        #[arg(long, default_value = "[::]:8443")]
        listen: SocketAddr,
        /// The message broker.
        #[arg(long, default_value = "localhost:8883")]
        broker: String,
        /// The service that turns photographs into templates, as `vision-1@127.0.0.1:9443`.
        #[arg(long)]
        embed: Option<String>,
    },
    /// Serves until told to stop.
    Serve {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Walks the whole journal and names the first thing that is not as it was written (exit code 2), and says what the
    /// checkpoint log lacks (exit code 3 when that is its beginning).
    Verify {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Imports a site's people, doors and rules from a file: all of it, or nothing.
    Import {
        /// The file.
        file: PathBuf,
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// Say what would be done, and do nothing.
        #[arg(long)]
        dry_run: bool,
        /// The folder that the photographs are in; the file's own if not given.
        #[arg(long, conflicts_with = "without_photographs")]
        photographs: Option<PathBuf>,
        /// Import people without the photographs that the file names.
        #[arg(long)]
        without_photographs: bool,
    },
    /// Prints the journal's records, one line of JSON each.
    Journal {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// Only records after this place.
        #[arg(long, default_value_t = 0)]
        after: u64,
    },
    /// Brings the database's schema up to date and stops.
    Migrate {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Certificates.
    #[command(subcommand)]
    Pki(Pki),
    /// Operators.
    #[command(subcommand)]
    Operator(Operators),
}

#[derive(Subcommand)]
enum Pki {
    /// Issues a certificate and its key: NAME.pem and NAME.key.
    Issue {
        /// `controller-<id>`, `vision-<id>`, `broker`, `server` or `web`.
        name: String,
        /// The directory with the authority, as `init` made it.
        #[arg(long)]
        directory: PathBuf,
        /// Where to write; the same directory if not given.
        #[arg(long)]
        out: Option<PathBuf>,
        /// A name or address it is good for besides its own name (again for each).
        #[arg(long = "host")]
        hosts: Vec<String>,
    },
}

#[derive(Subcommand)]
enum Operators {
    /// Adds an operator and prints a first password, once.
    Add {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// The login name.
        name: String,
        /// `viewer`, `guard`, `operator`, `manager` or `administrator`.
        #[arg(long, default_value = "viewer")]
        role: String,
    },
    /// Gives an operator a new first password and prints it, once.
    Reset {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// The login name.
        name: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    rustls::crypto::ring::default_provider().install_default().expect("nothing else was installed before");
    match run(Arguments::parse().command).await {
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
            let folder = photographs.as_deref().or(file.parent()).unwrap_or(Path::new(""));
            import(&file, folder, &Config::read(&config)?, dry_run, without_photographs).await?;
        }
        Command::Journal { config, after } => print_journal(&Config::read(&config)?, after).await?,
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
    }
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
