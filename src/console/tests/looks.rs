//! Themes: every file reads, text can be read, and a broken one says where.

use ratatui::style::{Color, Modifier};

use crate::console::color::{Depth, Vision, contrast, distance, seen};
use crate::console::theme::{Role, Theme, built_in as names};

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

#[test]
fn there_are_eleven() {
    assert_eq!(names().len(), 11);
    assert!(names().contains(&"solarized-16") && names().contains(&"tritanopia"));
}

#[test]
fn the_selection_can_be_read() {
    for name in names() {
        let theme = Theme::load(name, Depth::Rgb, false).expect(name);
        let reversed = theme.style(Role::Selected).add_modifier.contains(Modifier::REVERSED);
        let (own, behind) = theme.designed(Role::Selected);
        // Reversed, the colours of the row's text change places, and their contrast stays.
        let pair = if reversed { theme.designed(Role::Text) } else { (own, behind) };
        match pair {
            (Some(fg), bg) => assert!(contrast(fg, bg) >= 4.5, "{name}: {:.2}", contrast(fg, bg)),
            (None, _) => assert!(reversed, "{name}: the terminal's own colours, changed places"),
        }
    }
}

/// Twice what is just noticeable (0.02): the bar's length, the word and the glyph say the same.
const APART: f64 = 0.045;

#[test]
fn hot_and_calm_bars_differ_to_every_eye() {
    for name in names() {
        let theme = Theme::load(name, Depth::Rgb, false).expect(name);
        let (Some(calm), Some(hot)) = (theme.designed(Role::BarOk).0, theme.designed(Role::BarBad).0) else {
            assert_eq!(name, "mono", "only mono has no colours: there the word and the glyph say it");
            continue;
        };
        for vision in [Vision::Protan, Vision::Deutan, Vision::Tritan] {
            let apart = distance(seen(vision, calm), seen(vision, hot));
            assert!(apart >= APART, "{name} {vision:?}: {apart:.3}");
        }
    }
}

#[test]
fn the_themes_for_colour_blind_eyes_keep_three_states_apart() {
    for (name, visions) in
        [("deuteranopia", &[Vision::Deutan, Vision::Protan][..]), ("tritanopia", &[Vision::Tritan][..])]
    {
        let theme = Theme::load(name, Depth::Rgb, false).expect(name);
        let of = |role| theme.designed(role).0.expect("a colour");
        let states = [of(Role::BarOk), of(Role::BarWarn), of(Role::BarBad)];
        for vision in visions {
            for (at, one) in states.iter().enumerate() {
                for other in &states[at + 1..] {
                    let apart = distance(seen(*vision, *one), seen(*vision, *other));
                    assert!(apart >= 3.0 * APART, "{name} {vision:?} {one:?} {other:?}: {apart:.3}");
                }
            }
        }
    }
}

#[test]
fn hot_and_alive_differ_by_word_and_glyph_too() {
    use super::fixture::{busy, screen};
    let picture = screen(&busy((120, 36)));
    assert!(picture.contains("HOT") && picture.contains('▲'), "{picture}");
}

#[test]
fn a_theme_of_the_terminals_own_palette_stays_in_it() {
    let theme = Theme::load("solarized-16", Depth::Rgb, false).expect("a theme");
    for role in Role::ALL {
        assert!(!matches!(theme.style(*role).fg, Some(Color::Rgb(..) | Color::Indexed(_))), "{}", role.name());
    }
}

#[test]
fn a_set_of_symbols_is_narrowed_and_never_widened_by_a_theme() {
    use crate::console::symbols::Symbols;
    let dir = std::env::temp_dir().join(format!("chef-symbols-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let path = dir.join("mine.toml");
    let load = |text: &str, asked| {
        std::fs::write(&path, text).expect("written");
        Theme::load(path.to_str().expect("a path"), Depth::Rgb, asked)
    };
    let cjk = "inherits = \"nord\"\n[symbols]\nset = \"cjk-safe\"\ncolour = 1";
    let theme = load(cjk, Symbols::Unicode).expect("a theme");
    assert_eq!((theme.symbols, theme.warnings), (Symbols::CjkSafe, vec!["unknown key `symbols.colour`".to_owned()]));
    assert_eq!(load(cjk, Symbols::Ascii).expect("a theme").symbols, Symbols::Ascii);
    assert!(load("[symbols]\nset = \"emoji\"", Symbols::Unicode).is_err());
    let broken = load("[roles]\ntext = \n", Symbols::Unicode).expect_err("broken");
    assert!(broken.brief().contains("line 2") && !broken.brief().contains('\n'), "{}", broken.brief());
    std::fs::remove_dir_all(&dir).expect("removed");
}
