//! Themes: every file reads, text can be read, and a broken one says where.

use ratatui::style::{Color, Modifier};

use crate::console::color::{Depth, contrast};
use crate::console::theme::{Role, Theme, names};

const DEPTHS: [Depth; 5] = [Depth::None, Depth::Ansi8, Depth::Ansi16, Depth::Indexed, Depth::Rgb];

#[test]
fn every_theme_reads_at_every_depth_without_a_warning() {
    for name in names() {
        for depth in DEPTHS {
            let theme = Theme::load(name, depth, false).expect(name);
            assert_eq!(theme.warnings, Vec::<String>::new(), "{name}");
        }
    }
}

#[test]
fn text_has_contrast_and_glyphs_can_be_seen() {
    for name in names() {
        let theme = Theme::load(name, Depth::Rgb, false).expect(name);
        for role in Role::ALL {
            let wanted = match role {
                Role::Rule | Role::BarEmpty => 1.5, // decoration: carries nothing
                Role::BarOk | Role::BarWarn | Role::BarBad | Role::BarTick | Role::Spark | Role::Flow => 3.0,
                _ => 4.5,
            };
            if let (Some(fg), bg) = theme.designed(*role) {
                let found = contrast(fg, bg);
                assert!(found >= wanted, "{name} {}: {found:.2}", role.name());
            }
        }
    }
}

#[test]
fn no_depth_means_no_colour_and_the_selection_is_still_seen() {
    for name in names() {
        let theme = Theme::load(name, Depth::None, false).expect(name);
        for role in Role::ALL {
            let style = theme.style(*role);
            assert!(style.fg.is_none() && style.bg.is_none(), "{name} {}", role.name());
        }
        assert!(theme.style(Role::Selected).add_modifier.contains(Modifier::REVERSED), "{name}");
    }
}

#[test]
fn eight_colours_are_eight() {
    for name in names() {
        let theme = Theme::load(name, Depth::Ansi8, false).expect(name);
        for role in Role::ALL {
            if let Some(color) = theme.style(*role).fg {
                let eight = [
                    Color::Black,
                    Color::Red,
                    Color::Green,
                    Color::Yellow,
                    Color::Blue,
                    Color::Magenta,
                    Color::Cyan,
                    Color::Gray,
                ];
                assert!(eight.contains(&color), "{name} {}: {color}", role.name());
            }
        }
    }
}

#[test]
fn a_role_falls_back_along_its_dots_and_a_mistake_is_named() {
    let dir = std::env::temp_dir().join(format!("chef-themes-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let load = |text: &str| {
        let path = dir.join("mine.toml");
        std::fs::write(&path, text).expect("written");
        Theme::load(path.to_str().expect("a path"), Depth::Rgb, false)
    };
    let theme =
        load("inherits = \"mono\"\nnew = 1\n[roles]\nstate = \"#00ff00\"\nspam = \"#00ff00\"").expect("a theme");
    assert_eq!(theme.style(Role::Hot).fg, None, "the nearest full name wins");
    assert_eq!(theme.warnings, ["unknown role `spam`", "unknown key `new`"]);
    let theme = load("[roles]\nstate = \"#00ff00\"").expect("a theme");
    assert_eq!(theme.style(Role::Hot).fg, Some(Color::Rgb(0, 255, 0)));
    let broken = load("[roles\n").expect_err("broken").to_string();
    assert!(broken.contains("line 1"), "{broken}");
    let unknown = load("[roles]\ntext = \"mauve\"").expect_err("unknown").to_string();
    assert!(unknown.contains("`mauve`"), "{unknown}");
    let path = dir.join("mine.toml");
    let itself = load(&format!("inherits = \"{}\"", path.display())).expect_err("a cycle").to_string();
    assert!(itself.contains("inherits from itself"), "{itself}");
    std::fs::remove_dir_all(&dir).expect("removed");
}
