//! Operators in a real browser: the account, an authenticator app that is another program's, the list of operators.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use building::running::Building;

use crate::browser::Browser;
use crate::webdriver::Line;

/// An authenticator app in Python's standard library: the code of the next half minute, which is good already and was
/// never shown.
const APP: &str = "import base64,hmac,struct,sys,time\n\
                   key=base64.b32decode(sys.argv[1].replace(' ',''))\n\
                   step=int(time.time())//30+int(sys.argv[2])\n\
                   it=hmac.digest(key,struct.pack('>Q',step),'sha1')\n\
                   at=it[-1]&15\n\
                   print('%06d'%((struct.unpack('>I',it[at:at+4])[0]&0x7fffffff)%1000000))";

/// The account, a second factor from the QR page to the next sign-in, an operator added.
pub(crate) fn everything(building: &Building, browser: &Browser, password: &str) -> Result<()> {
    let page = &browser.session;
    let at = |path: &str| format!("{}{path}", building.console().trim_end_matches('/'));
    page.press_on("link", &["管理员"])?;
    page.find("heading", &["我的账户"])?;
    page.find("listitem", &["当前设备", "Linux"])?;
    browser.pictures("account-zh-CN")?;

    page.press_on("link", &["设置两步验证"])?;
    page.find("heading", &["两步验证"])?;
    browser.pictures("second-begin-zh-CN")?;
    page.type_into(&page.find("textbox", &["当前密码"])?, password)?;
    page.press_on("button", &["设置两步验证"])?;
    page.holds("return document.querySelector('svg.qr path') !== null")?;
    browser.pictures("second-qr-zh-CN")?;
    let secret = page.run("return document.querySelector('.secret').textContent")?;
    let secret = secret.as_str().context("the secret in text")?.to_owned();
    page.type_into(&page.find("textbox", &["6 位验证码"])?, &code(&secret, 0)?)?;
    page.press_on("button", &["启用"])?;
    page.find("heading", &["恢复码"])?;
    page.holds("return document.querySelectorAll('.codes li').length === 10")?;
    browser.pictures("second-codes-zh-CN")?;
    page.press_on("link", &["已妥善保存"])?;
    page.press_on("link", &["管理两步验证"])?;
    page.find("heading", &["停用两步验证"])?;
    browser.pictures("second-stands-zh-CN")?;

    page.go(&at("/settings/operators"))?;
    page.find("heading", &["操作员"])?;
    page.type_into(&page.find("textbox", &["用户名"])?, "night.shift")?;
    page.press_on("button", &["添加"])?;
    page.find("status", &["已添加操作员 night.shift"])?;
    browser.pictures("operators-zh-CN")?;
    page.press_on("link", &["night.shift"])?;
    page.find("heading", &["night.shift", "待设置密码"])?;
    browser.pictures("operator-zh-CN")?;
    page.press_on("link", &["Switch to English"])?;
    for (path, heading, name) in [
        ("/settings/operators", "Operators", "operators"),
        ("/settings/operators/2", "night.shift", "operator"),
        ("/account", "My account", "account"),
        ("/account/authenticator", "Second factor", "second-stands"),
    ] {
        page.go(&at(path))?;
        page.find("heading", &[heading])?;
        browser.pictures(&format!("{name}-en"))?;
    }
    page.press_on("link", &["切换到中文"])?;
    passkey(building, browser, password)?;
    again(browser, &secret, password)
}

/// A passkey from the account's page to signing in with it, alone and after a password, until it is removed. The device is
/// the driver's own, which does what a laptop with a fingerprint reader does.
fn passkey(building: &Building, browser: &Browser, password: &str) -> Result<()> {
    let page = &browser.session;
    let at = |path: &str| format!("{}{path}", building.console().trim_end_matches('/'));
    page.has_authenticator()?;
    page.go(&at("/account"))?;
    page.press_on("link", &["添加通行密钥"])?;
    page.find("heading", &["通行密钥"])?;
    page.type_into(&page.find("textbox", &["当前密码"])?, "guess guess")?;
    page.press_on("button", &["添加"])?;
    page.find("alert", &["当前密码不正确"])?;
    browser.pictures("passkey-refused-zh-CN")?;
    page.run("document.querySelector('input[name=password]').value = ''")?;
    page.type_into(&page.find("textbox", &["当前密码"])?, password)?;
    page.press_on("button", &["添加"])?;
    page.find("status", &["已添加通行密钥"])?;
    page.find("listitem", &["Linux", "从未使用"])?;
    browser.pictures("passkey-account-zh-CN")?;
    page.press_on("link", &["管理通行密钥"])?;
    // The device says that it has one already.
    page.type_into(&page.find("textbox", &["当前密码"])?, password)?;
    page.press_on("button", &["添加"])?;
    page.find("status", &["此设备已有您的通行密钥"])?;
    browser.pictures("passkeys-zh-CN")?;

    page.press_on("button", &["退出登录"])?;
    page.find("heading", &["登录"])?;
    browser.pictures("login-passkey-zh-CN")?;
    page.press_on("button", &["用通行密钥登录"])?;
    page.find("heading", &["现在有异常吗？"])?;
    page.press_on("button", &["退出登录"])?;
    page.type_into(&page.find("textbox", &["用户名"])?, "admin")?;
    page.type_into(&page.find("textbox", &["密码"])?, password)?;
    page.press_on("button", &["登录"])?;
    page.find("heading", &["两步验证"])?;
    browser.pictures("code-passkey-zh-CN")?;
    page.press_on("button", &["用通行密钥登录"])?;
    page.find("heading", &["现在有异常吗？"])?;

    page.press_on("link", &["Switch to English"])?;
    for (path, name) in [("/account", "passkey-account"), ("/account/passkeys", "passkeys")] {
        page.go(&at(path))?;
        page.find("listitem", &["last used"])?;
        browser.pictures(&format!("{name}-en"))?;
    }
    page.press_on("link", &["切换到中文"])?;
    page.find("heading", &["通行密钥"])?;
    page.run("document.querySelector('details.sure').open = true")?;
    page.type_into(&page.find("textbox", &["当前密码"])?, password)?;
    page.press_on("button", &["移除"])?;
    page.find("status", &["已移除通行密钥"])?;
    page.press_on("button", &["退出登录"])?;
    page.press_on("button", &["用通行密钥登录"])?;
    page.find("status", &["未被接受"])?;
    browser.pictures("login-passkey-refused-zh-CN")?;
    // What the server refuses the browser logs: nothing else may be there.
    let strange: Vec<_> = page.log()?.into_iter().filter(|line| line.level == "SEVERE").collect();
    let refused = |line: &Line| line.message.contains("/passkey") && line.message.contains("422");
    ensure!(strange.iter().all(refused) && strange.len() == 2, "{strange:?}");
    Ok(())
}

/// In again with both factors.
fn again(browser: &Browser, secret: &str, password: &str) -> Result<()> {
    let page = &browser.session;
    page.type_into(&page.find("textbox", &["用户名"])?, "admin")?;
    page.type_into(&page.find("textbox", &["密码"])?, password)?;
    page.press_on("button", &["登录"])?;
    page.find("heading", &["两步验证"])?;
    browser.pictures("code-zh-CN")?;
    page.type_into(&page.find("textbox", &["验证码或恢复码"])?, &code(secret, 1)?)?;
    page.press_on("button", &["登录"])?;
    page.find("heading", &["现在有异常吗？"]).map(drop)
}

fn code(secret: &str, later: u8) -> Result<String> {
    let out = Command::new("python3").args(["-c", APP, secret, &later.to_string()]).output()?;
    ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Ok(String::from_utf8(out.stdout)?.trim().to_owned())
}
