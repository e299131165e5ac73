//! Themes: which look a role has, from a file, resolved once for a terminal.
//!
//! Owns the roles and the fall-back along the dots of a role's name; the files are in [`files`]. Never chooses a role (the
//! views do) and never carries meaning alone: glyph, word and place do, so [`Depth::None`] costs nothing.

mod files;

use ratatui::style::{Modifier, Style};

#[cfg(test)]
pub(super) use self::files::built_in;
pub use self::files::{BadTheme, Stamps, names};
use self::files::{File, Look, Paint};
use super::color::{Depth, Rgb, Swatch, parse_hex};
use super::symbols::Symbols;

macro_rules! roles {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// What a piece of the screen is for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the name in the theme file says it")]
        pub enum Role { $($variant),+ }

        impl Role {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in a theme file.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

roles! {
    Text = "text", Dim = "text.dim", Strong = "text.strong", Accent = "accent",
    Title = "title", Rule = "rule", Key = "key", Tab = "tab.active",
    Selected = "row.selected", Stale = "row.stale",
    Ok = "state.ok", Warn = "state.warn", Bad = "state.bad", Hot = "state.hot",
    Live = "link.live", Lost = "link.lost",
    BarOk = "bar.fill.ok", BarWarn = "bar.fill.warn", BarBad = "bar.fill.bad", BarEmpty = "bar.empty", BarTick = "bar.tick",
    Spark = "spark", Flow = "flow",
    Input = "input", Border = "dialog.border", Danger = "dialog.danger",
    ToneInfo = "tone.info", ToneGood = "tone.good", ToneWarn = "tone.warn", ToneBad = "tone.bad",
}

/// Text and background as designed, where they are given.
type Designed = (Option<Rgb>, Option<Rgb>);

/// A theme, for one terminal.
#[derive(Debug, Clone)]
pub struct Theme {
    /// Its name.
    pub name: String,
    /// What is unknown in its file.
    pub warnings: Vec<String>,
    /// Which glyphs may be written.
    pub symbols: Symbols,
    /// The files it was read from; none for a built-in theme.
    pub stamps: Stamps,
    styles: Vec<Style>,
    swatches: Vec<Designed>,
    background: Rgb,
    ground: Style,
}

impl Theme {
    /// A theme by its name, or a file by its path.
    ///
    /// # Errors
    /// Says what is wrong, with the line where there is one.
    pub fn load(name: &str, depth: Depth, symbols: impl Into<Symbols>) -> Result<Self, BadTheme> {
        let (files, stamps) = files::chain(name)?;
        let most = files::depth(name, &files)?.unwrap_or(Depth::Rgb);
        let theme = Resolver { name, files: &files, depth: depth.min(most) }.resolve(symbols.into())?;
        Ok(Self { stamps, ..theme })
    }

    /// The theme that is always there.
    #[must_use]
    pub fn fallback(depth: Depth, symbols: impl Into<Symbols>) -> Self {
        let symbols = symbols.into();
        Self::load("base-dark", depth, symbols).unwrap_or_else(|_| Self {
            name: "plain".to_owned(),
            warnings: Vec::new(),
            symbols,
            stamps: Stamps::default(),
            styles: vec![Style::new(); Role::ALL.len()],
            swatches: vec![(None, None); Role::ALL.len()],
            background: (0, 0, 0),
            ground: Style::new(),
        })
    }

    /// How a role looks.
    #[must_use]
    pub fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }

    /// How the empty screen looks.
    #[must_use]
    pub fn ground(&self) -> Style {
        self.ground
    }

    /// The colours of a role as designed, where they are given, and the background they stand on.
    #[must_use]
    pub fn designed(&self, role: Role) -> (Option<Rgb>, Rgb) {
        let (fg, bg) = self.swatches[role as usize];
        (fg, bg.unwrap_or(self.background))
    }

    /// Our own text as this terminal may show it.
    #[must_use]
    pub fn glyphs<'a>(&self, text: &'a str) -> std::borrow::Cow<'a, str> {
        self.symbols.map(text)
    }
}

struct Resolver<'a> {
    name: &'a str,
    files: &'a [File],
    depth: Depth,
}

impl Resolver<'_> {
    fn resolve(&self, symbols: Symbols) -> Result<Theme, BadTheme> {
        let first = |pick: fn(&File) -> Option<&String>| self.files.iter().find_map(pick);
        let background = match first(|file| file.background.as_ref()) {
            Some(name) => self.swatch(name)?,
            None => Swatch::new((0, 0, 0), None, None).map_err(|what| self.bad(what))?,
        };
        let paint = self.files.iter().find_map(|file| file.paint).unwrap_or(false);
        let set = first(|file| file.symbols.set.as_ref());
        let mut styles = Vec::new();
        let mut swatches = Vec::new();
        for role in Role::ALL {
            let (style, designed) = self.look(role.name())?;
            styles.push(style);
            swatches.push(designed);
        }
        let mut ground = Style::new();
        if let Some(color) = background.at(self.depth).filter(|_| paint) {
            ground = ground.bg(color);
            if let Some(text) = styles[Role::Text as usize].fg {
                ground = ground.fg(text);
            }
        }
        let name = self.name.to_owned();
        // What the operator asked for is never widened by a theme.
        let wanted = match set {
            Some(word) => Symbols::named(word).ok_or_else(|| self.bad(format!("`{word}` is no set of symbols")))?,
            None => Symbols::Unicode,
        };
        let (warnings, symbols, background) = (self.warnings(), symbols.max(wanted), background.rgb);
        Ok(Theme { name, warnings, symbols, stamps: Stamps::default(), styles, swatches, background, ground })
    }

    /// The look of a role, or of the nearest role up its dot path.
    fn look(&self, role: &str) -> Result<(Style, Designed), BadTheme> {
        let mut name = role;
        loop {
            // The whole path in the nearest file first: a theme that says only `state` means all states.
            for file in self.files {
                if let Some(look) = file.roles.get(name) {
                    return self.style(look, role);
                }
            }
            let Some((parent, _)) = name.rsplit_once('.') else { break };
            name = parent;
        }
        Ok((Style::new(), (None, None)))
    }

    fn style(&self, look: &Look, role: &str) -> Result<(Style, Designed), BadTheme> {
        let (fg, bg, modifiers): (_, Option<&String>, &[String]) = match look {
            Look::Fg(fg) => (Some(fg), None, &[]),
            Look::Steps(steps) => {
                let step = ["ok", "warn", "bad"].iter().position(|step| role.ends_with(step)).unwrap_or(0);
                (steps.get(step).or(steps.last()), None, &[])
            }
            Look::Full { fg, bg, modifiers } => (fg.as_ref(), bg.as_ref(), modifiers),
        };
        let fg = fg.map(|name| self.swatch(name)).transpose()?;
        let bg = bg.map(|name| self.swatch(name)).transpose()?;
        let mut style = Style { fg: fg.and_then(|fg| fg.at(self.depth)), ..Style::new() };
        style.bg = bg.and_then(|bg| bg.at(self.depth));
        for modifier in modifiers {
            style = style.add_modifier(self.modifier(modifier)?);
        }
        // A background that the depth cannot show is a reversal, or the selection would be invisible.
        if bg.is_some() && style.bg.is_none() {
            style = style.add_modifier(Modifier::REVERSED);
        }
        Ok((style, (fg.map(|fg| fg.rgb), bg.map(|bg| bg.rgb))))
    }

    fn swatch(&self, name: &str) -> Result<Swatch, BadTheme> {
        let paint = self.files.iter().find_map(|file| file.palette.get(name));
        let (hex, idx, ansi) = match paint {
            None => (name, None, None),
            Some(Paint::Hex(hex)) => (hex.as_str(), None, None),
            Some(Paint::Full { rgb, idx, ansi }) => (rgb.as_str(), *idx, ansi.as_deref()),
        };
        let rgb = parse_hex(hex).ok_or_else(|| self.bad(format!("`{hex}` is neither in the palette nor #rrggbb")))?;
        Swatch::new(rgb, idx, ansi).map_err(|what| self.bad(what))
    }

    fn modifier(&self, name: &str) -> Result<Modifier, BadTheme> {
        match name {
            "bold" => Ok(Modifier::BOLD),
            "dim" => Ok(Modifier::DIM),
            "italic" => Ok(Modifier::ITALIC),
            "underlined" => Ok(Modifier::UNDERLINED),
            "reversed" => Ok(Modifier::REVERSED),
            other => Err(self.bad(format!("`{other}` is none of bold, dim, italic, underlined, reversed"))),
        }
    }

    fn warnings(&self) -> Vec<String> {
        let known = |name: &str| {
            let inside = |role: &Role| role.name() == name || role.name().starts_with(&format!("{name}."));
            Role::ALL.iter().any(inside)
        };
        let roles = self.files.iter().flat_map(|file| file.roles.keys()).filter(|name| !known(name));
        let keys = self.files.iter().flat_map(File::unknown);
        let roles = roles.map(|name| format!("unknown role `{name}`"));
        roles.chain(keys.map(|key| format!("unknown key `{key}`"))).collect()
    }

    fn bad(&self, what: String) -> BadTheme {
        BadTheme::new(self.name, what)
    }
}
