//! The live page in a real browser, over a short piece of life with the server on PostgreSQL.

use anyhow::{Context, Result, ensure};
use building::running::Building;
use building::scenario;
use kit::testing::Database;

use crate::browser::Browser;
use crate::life::live;
use crate::{import, operators, site, webcam};

/// What the first administrator chooses instead of the one-time password. It guards a site of this test's own.
const PASSWORD: &str = "a night shift alone";

#[test]
fn a_short_piece_of_life_on_postgresql_is_seen_in_a_browser() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let site = folder.path().join("site");
    let database = postgresql();
    let mut building =
        Building::start(&site, Some(&database.address), &mut |part| println!("starting: {part}"))?;
    let authority = building.site.path("site/pki/ca.pem");
    let film = webcam::film(folder.path())?;
    let browser = Browser::start(folder.path(), &authority, &film, &building.site.logs())?;

    step("the first login must choose a password", sign_in(&building, &browser))?;
    step("every part is seen to be there", everything_is_there(&browser))?;
    step("an employee passes and is seen", employee(&mut building, &browser))?;
    step("a stranger is refused and it is seen why", stranger(&mut building, &browser))?;
    step("the page speaks both languages", languages(&browser))?;
    step("who comes in is seen large on the wall of photographs", wall(&building, &browser))?;
    step("people are found, looked at and changed", people(&browser))?;
    step("a list of people is imported and exported", import::list(&building, &browser))?;
    step("photographs are matched and looked at", import::photographs(&building, &browser))?;
    step("a face is photographed at the desk", webcam::enrols(&building, &browser))?;
    step("the site is looked at and changed", site::looked_at(&building, &browser))?;
    step("a floor's plan is uploaded, doors are put on it, and it lives", site::plan(&building, &browser))?;
    step("another program is to be told what happens", site::webhook(&building, &browser))?;
    let operators = operators::everything(&building, &browser, PASSWORD);
    step("an operator is added, and a second factor is asked for", operators)?;
    step("the browser logged no error", no_error(&browser))?;
    step("a script in the page itself does not run", strict(&browser))?;
    live(&mut building, &scenario::SHORT);
    step("what happened is seen in words", words(&browser))?;
    step("a page without its server says so", server_away(&mut building, &browser))?;
    step("a server without its broker says so", broker_away(&mut building, &browser))?;

    step("everybody can use every page", browser.everybody_can_use_it())?;

    browser.stop()?;
    building.stop()
}

/// A database of this test's own.
fn postgresql() -> Database {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let [_, postgresql] = runtime.block_on(kit::testing::databases());
    postgresql
}

fn step<T>(name: &'static str, outcome: Result<T>) -> Result<T> {
    if outcome.is_ok() {
        println!("ok, {name}");
    }
    outcome.context(name)
}

fn sign_in(building: &Building, browser: &Browser) -> Result<()> {
    let page = &browser.session;
    page.go(&building.console())?;
    page.find("heading", &["登录"])?;
    browser.pictures("login-zh-CN")?;
    page.press(&page.find("link", &["Switch to English"])?)?;
    page.find("heading", &["Sign in"])?;
    browser.pictures("login-en")?;
    page.press(&page.find("link", &["切换到中文"])?)?;

    let login = building.site.first_login()?;
    page.type_into(&page.find("textbox", &["用户名"])?, &login.name)?;
    page.type_into(&page.find("textbox", &["密码"])?, &login.password)?;
    page.press(&page.find("button", &["登录"])?)?;
    page.find("heading", &["设置您的密码"])?;
    // There is no way around it.
    page.go(&building.console())?;
    page.find("heading", &["设置您的密码"])?;
    browser.pictures("password-zh-CN")?;
    page.press(&page.find("link", &["Switch to English"])?)?;
    page.find("heading", &["Choose your password"])?;
    browser.pictures("password-en")?;
    page.press(&page.find("link", &["切换到中文"])?)?;

    page.type_into(&page.find("textbox", &["当前密码"])?, &login.password)?;
    for field in ["新密码", "再次输入新密码"] {
        let exactly = page.all("textbox", &[field])?;
        let field = exactly.into_iter().next().context("a field for the new password")?;
        page.type_into(&field, PASSWORD)?;
    }
    page.press(&page.find("button", &["保存密码"])?)?;
    page.find("heading", &["现在有异常吗？"]).map(drop)
}

fn everything_is_there(browser: &Browser) -> Result<()> {
    let page = &browser.session;
    for device in ["一号控制器", "视觉 1"] {
        page.find("listitem", &[device, "在线"])?;
    }
    for board in ["门控板：正门", "门控板：员工通道闸机", "门控板：档案室门"] {
        page.find("listitem", &[board, "在线", "加密通道"])?;
    }
    Ok(())
}

fn employee(building: &mut Building, browser: &Browser) -> Result<()> {
    let page = &browser.session;
    scenario::faces_are_known(building)?;
    let time = scenario::pass_by_face(building)?;
    println!("{} ms from frame to lock", time.as_millis());
    let event = page.find("listitem", &["欧明哲 · 员工通道闸机（进）", "通过"])?;
    page.find("image", &["欧明哲 的照片"])?;
    page.holds(
        "const it = document.querySelector('.event img.face'); return it.complete && it.naturalWidth > 0",
    )?;
    page.press(&event)?;
    // Why: what was shown, the rules that passed, under which policy, how long each stage took.
    let why = [
        "欧明哲 · 员工通道闸机（进）",
        "人脸（相似度",
        "真人",
        "人脸相似",
        "通行权限",
        "策略版本",
        "各阶段用时",
        "特征提取",
    ];
    page.find("listitem", &why).map(drop)
}

fn stranger(building: &mut Building, browser: &Browser) -> Result<()> {
    let page = &browser.session;
    let record = scenario::refuse_a_stranger(building)?;
    let reasons = record.body["reasons"].as_array().context("a refusal has reasons")?.len();
    let event = page.find("listitem", &["未知人员 · 员工通道闸机（进）", "拒绝", "人脸不在库中"])?;
    let shown = page.text(&event)?;
    let count = shown.lines().count();
    // The time, the sentence, the word, and a line for each reason.
    ensure!(count == 3 + reasons, "{reasons} reasons, and the line says:\n{shown}");
    page.press(&event)?;
    page.find(
        "listitem",
        &["未知人员 · 员工通道闸机（进）", "不在库中的人脸", "凭证已登记", "满足以下全部条件"],
    )
    .map(drop)
}

fn languages(browser: &Browser) -> Result<()> {
    let page = &browser.session;
    browser.pictures("live-zh-CN")?;
    page.press(&page.find("link", &["Switch to English"])?)?;
    page.find("heading", &["Is anything wrong now?"])?;
    page.find("listitem", &["Ou Mingzhe · Staff Gate Lane (in)", "granted"])?;
    let event =
        page.find("listitem", &["Unknown person · Staff Gate Lane (in)", "denied", "not in the gallery"])?;
    page.press(&event)?;
    browser.pictures("live-en")?;
    page.press(&page.find("link", &["切换到中文"])?)?;
    page.find("heading", &["现在有异常吗？"]).map(drop)
}

fn wall(building: &Building, browser: &Browser) -> Result<()> {
    let page = &browser.session;
    page.press_on("link", &["照片墙"])?;
    page.find("heading", &["照片墙", "所有门"])?;
    page.find("listitem", &["欧明哲", "通过", "员工通道闸机"])?;
    page.find("listitem", &["未知人员", "拒绝", "人脸不在库中"])?;
    page.holds(
        "const it = document.querySelector('.face-of img'); return it.complete && it.naturalWidth > 0",
    )?;
    browser.pictures("wall-zh-CN")?;
    page.press_on("link", &["Switch to English"])?;
    page.find("listitem", &["Ou Mingzhe", "granted"])?;
    page.run("document.querySelector('.choose').open = true")?;
    browser.pictures("wall-en")?;
    page.press_on("checkbox", &["Archive"])?;
    page.press_on("button", &["Show"])?;
    page.find("heading", &["Photo wall", "Archive"])?;
    page.gone("listitem", &["Ou Mingzhe"])?;
    page.press_on("link", &["切换到中文"])?;
    page.go(&building.console())?;
    page.find("heading", &["现在有异常吗？"]).map(drop)
}

fn people(browser: &Browser) -> Result<()> {
    let page = &browser.session;
    page.press(&page.find("link", &["人员"])?)?;
    page.find("heading", &["人员"])?;
    browser.pictures("people-zh-CN")?;
    page.type_into(&page.find("searchbox", &["姓名、拼音、部门或工号"])?, "omz")?;
    page.holds("return document.querySelectorAll('#results tbody tr').length === 1")?;
    page.press(&page.find("link", &["欧明哲"])?)?;
    page.find("heading", &["欧明哲", "有效"])?;
    browser.pictures("person-zh-CN")?;
    page.press(&page.find("button", &["停用"])?)?;
    page.find("status", &["任何凭证都不再放行"])?;
    page.press(&page.find("button", &["恢复"])?)?;
    page.find("status", &["已恢复"])?;
    page.press(&page.find("link", &["修改"])?)?;
    page.find("heading", &["修改"])?;
    browser.pictures("person-edit-zh-CN")?;
    page.press(&page.find("link", &["取消"])?)?;
    page.press(&page.find("link", &["Switch to English"])?)?;
    page.find("heading", &["Ou Mingzhe"])?;
    browser.pictures("person-en")?;
    page.press(&page.find("link", &["切换到中文"])?)?;
    page.press(&page.find("link", &["通行权限"])?)?;
    page.find("listitem", &["职员工作日", "职员可在工作日 07:00–20:00进入正门、员工通道闸机。"])?;
    browser.pictures("access-zh-CN")?;
    page.press(&page.find("link", &["事件记录"])?)?;
    page.find("listitem", &["欧明哲 · 员工通道闸机（进）", "通过"])?;
    browser.pictures("history-zh-CN")?;
    page.press(&page.find("link", &["实时"])?)?;
    page.find("heading", &["现在有异常吗？"]).map(drop)
}

fn no_error(browser: &Browser) -> Result<()> {
    let errors: Vec<_> = browser.session.log()?.into_iter().filter(|line| line.level == "SEVERE").collect();
    ensure!(errors.is_empty(), "{errors:?}");
    Ok(())
}

/// Something that got into the page would not run, and the log that the step before looked at would tell of it.
fn strict(browser: &Browser) -> Result<()> {
    let intrude = "const it = document.createElement('script'); it.textContent = 'document.title = \"intruder\"'; \
                   document.body.append(it); return document.title";
    let title = browser.session.run(intrude)?;
    ensure!(title == "实时 · 守门", "an inline script ran: {title}");
    let log = browser.session.log()?;
    ensure!(log.iter().any(|line| line.message.contains("Content Security Policy")), "{log:?}");
    Ok(())
}

/// Nothing on the page is a code: with every trace open there is no word but those of the language and names.
fn words(browser: &Browser) -> Result<()> {
    let page = &browser.session;
    page.find("listitem", &["正门被强行打开", "报警"])?;
    page.find("listitem", &["正门", "拒绝", "凭证不属于任何人"])?;
    page.run("for (const it of document.querySelectorAll('details')) it.open = true")?;
    let text = page.page()?;
    ensure!(text.contains("判定"), "the traces are not open");
    let is_code = |word: &&str| {
        word.contains('-')
            && word.split('-').all(|part| !part.is_empty() && part.bytes().all(|it| it.is_ascii_lowercase()))
    };
    let codes: Vec<_> =
        text.split(|it: char| !it.is_ascii_alphanumeric() && it != '-').filter(is_code).collect();
    ensure!(codes.is_empty(), "these have no words: {codes:?}");
    browser.pictures("life-zh-CN")
}

fn server_away(building: &mut Building, browser: &Browser) -> Result<()> {
    let page = &browser.session;
    building.kill_server()?;
    page.find("status", &["与服务器的连接已中断"])?;
    browser.pictures("stale-zh-CN")?;
    building.start_server()?;
    // It comes back by itself, and shows what is new.
    scenario::opens_and_closes(building)?;
    page.find("listitem", &["欧明哲 · 正门（进）", "通过"])?;
    page.gone("status", &["与服务器的连接已中断"])?;
    let strange: Vec<_> = browser
        .session
        .log()?
        .into_iter()
        .filter(|line| line.level == "SEVERE" && !line.message.contains("net::ERR_"))
        .collect();
    ensure!(strange.is_empty(), "{strange:?}");
    Ok(())
}

fn broker_away(building: &mut Building, browser: &Browser) -> Result<()> {
    let page = &browser.session;
    building.kill_broker()?;
    page.find("listitem", &["消息代理未连接", "各控制器独立工作"])?;
    page.find("listitem", &["一号控制器", "无响应"])?;
    page.find("listitem", &["正门", "未知", "控制器无响应"])?;
    browser.pictures("broker-away-zh-CN")?;
    building.start_broker()?;
    page.find("listitem", &["一号控制器", "在线"])?;
    page.gone("listitem", &["消息代理未连接"])
}
