//! A face enrolled from a camera at the desk: Chromium takes a film for one, made out of a photograph; what it is told
//! comes from the vision process.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use building::camera::photographs;
use building::running::Building;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{DynamicImage, Rgb, RgbImage};
use serde_json::json;

use crate::browser::Browser;

/// As a camera of a desk sees: pixels.
const FRAME: (u32, u32) = (960, 720);
/// Frames of each scene; Chromium plays 30 a second and begins anew at the end.
const SCENES: [(Scene, usize); 4] =
    [(Scene::Nobody, 90), (Scene::Dark, 90), (Scene::Far, 90), (Scene::Good, 600)];

#[derive(Clone, Copy)]
enum Scene {
    Nobody,
    Dark,
    Far,
    Good,
}

/// The film: nobody, then somebody in the dark, from afar, and near in good light. Motion JPEG is pictures in a row.
pub(crate) fn film(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("webcam.mjpeg");
    let mut file = File::create(&path)?;
    let portrait =
        image::open(photographs().join("sunak.jpg")).context("`cargo xtask fetch` brings photographs")?;
    for (scene, frames) in SCENES {
        let frame = frame(&portrait, scene);
        let mut picture = Vec::new();
        JpegEncoder::new_with_quality(&mut picture, 88).encode_image(&frame)?;
        for _ in 0..frames {
            file.write_all(&picture)?;
        }
    }
    file.sync_all()?;
    Ok(path)
}

fn frame(portrait: &DynamicImage, scene: Scene) -> RgbImage {
    let mut frame = RgbImage::from_pixel(FRAME.0, FRAME.1, Rgb([176, 182, 186]));
    let high = match scene {
        Scene::Nobody => return frame,
        Scene::Dark | Scene::Good => FRAME.1,
        Scene::Far => FRAME.1 / 4,
    };
    let person = portrait.resize(FRAME.0, high, FilterType::Triangle);
    let person = if matches!(scene, Scene::Dark) { person.brighten(-110) } else { person };
    let left = i64::from((FRAME.0 - person.width()) / 2);
    if matches!(scene, Scene::Dark) {
        frame = imageops::brighten(&frame, -150);
    }
    imageops::overlay(&mut frame, &person.to_rgb8(), left, i64::from(FRAME.1 - person.height()));
    frame
}

/// Refused by the browser, absent, then there: hints, the best of good frames, and a face on record.
pub(crate) fn enrols(building: &Building, browser: &Browser) -> Result<()> {
    let page = &browser.session;
    let origin = building.console();
    let origin = origin.trim_end_matches('/');
    page.go(&format!("{origin}/people?find=zhangsan"))?;
    page.press_on("link", &["张三"])?;
    page.find("heading", &["张三"])?;

    may(browser, origin, "denied")?;
    page.press_on("button", &["用摄像头拍摄"])?;
    page.find("status", &["浏览器不允许使用摄像头"])?;
    browser.pictures("camera-refused-zh-CN")?;
    may(browser, origin, "granted")?;
    page.run(
        "window.there = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices); \
         navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotFoundError'); }",
    )?;
    page.press_on("button", &["重新拍摄"])?;
    page.find("status", &["没有找到摄像头"])?;
    page.run("navigator.mediaDevices.getUserMedia = window.there")?;

    page.run(
        "window.said = []; const hint = document.querySelector('.hint-now'); \
         new MutationObserver(() => window.said.push(hint.textContent)).observe(hint, { childList: true })",
    )?;
    page.press_on("button", &["重新拍摄"])?;
    page.find("status", &["没有看到人脸"])?;
    browser.picture("camera-nobody-zh-CN")?;
    page.find("status", &["光线太暗"])?;
    page.find("status", &["请靠近一些"])?;
    browser.picture("camera-far-zh-CN")?;
    page.find("status", &["请保持不动"])?;
    browser.picture("camera-still-zh-CN")?;
    page.find("status", &["已选出最清晰的一张"])?;
    browser.pictures("camera-taken-zh-CN")?;
    let said = page.run("return window.said")?;
    println!("the camera's page said {said}");
    let live = page.run("return document.querySelector('dialog.camera video').srcObject")?;
    ensure!(live.is_null(), "the camera is still on");
    page.press_on("button", &["使用这张照片"])?;
    page.find("status", &["人脸已登记"])?;
    browser.pictures("camera-enrolled-zh-CN")?;
    page.press_on("link", &["Switch to English"])?;
    page.press_on("button", &["Use the camera"])?;
    page.find("status", &["hold still"])?;
    browser.picture("camera-still-en")?;
    page.press_on("button", &["Cancel"])?;
    page.press_on("link", &["切换到中文"])?;
    let elsewhere = page.run("return fetch('/account').then(it => it.headers.get('permissions-policy'))")?;
    ensure!(elsewhere.as_str().is_some_and(|it| it.contains("camera=()")), "{elsewhere}");
    page.go(origin)?;
    page.find("heading", &["现在有异常吗？"]).map(drop)
}

/// What the browser answers a page that asks for the camera.
fn may(browser: &Browser, origin: &str, setting: &str) -> Result<()> {
    let asked = json!({ "permission": { "name": "camera" }, "setting": setting, "origin": origin });
    browser.session.devtools("Browser.setPermission", &asked).map(drop)
}
