//! The names that a Rust file defines.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};
use syn::{Block, ImplItemConst, Item, Signature, Variant};

/// Items, methods, associated constants and variants, in modules and `impl`s too, but not inside of functions.
///
/// # Errors
/// Where it is no Rust.
pub fn names(text: &str) -> syn::Result<BTreeSet<String>> {
    let mut names = Names::default();
    names.visit_file(&syn::parse_file(text)?);
    Ok(names.0)
}

#[derive(Default)]
struct Names(BTreeSet<String>);

impl Names {
    fn add(&mut self, name: &syn::Ident) {
        self.0.insert(name.to_string());
    }
}

impl<'a> Visit<'a> for Names {
    fn visit_item(&mut self, item: &'a Item) {
        let name = match item {
            Item::Const(it) => Some(&it.ident),
            Item::Enum(it) => Some(&it.ident),
            Item::Macro(it) => it.ident.as_ref(),
            Item::Mod(it) => Some(&it.ident),
            Item::Static(it) => Some(&it.ident),
            Item::Struct(it) => Some(&it.ident),
            Item::Trait(it) => Some(&it.ident),
            Item::Type(it) => Some(&it.ident),
            Item::Union(it) => Some(&it.ident),
            _ => None,
        };
        name.into_iter().for_each(|name| self.add(name));
        visit::visit_item(self, item);
    }

    /// Functions, wherever they are.
    fn visit_signature(&mut self, signature: &'a Signature) {
        self.add(&signature.ident);
    }

    fn visit_impl_item_const(&mut self, constant: &'a ImplItemConst) {
        self.add(&constant.ident);
    }

    fn visit_variant(&mut self, variant: &'a Variant) {
        self.add(&variant.ident);
    }

    fn visit_block(&mut self, _: &'a Block) {}
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn what_is_defined_has_a_name_and_what_is_used_has_not() {
        let text = "use a::Used; const ONE: u8 = used(); static TWO: u8 = 2; type Three = u8; \
            struct Four { field: u8 } enum Five { Six } trait Seven { fn eight(); } \
            impl Four { const NINE: u8 = 9; fn ten(argument: u8) { fn inner() {} } } \
            mod eleven { fn twelve() {} } extern \"C\" { fn thirteen(); } \
            macro_rules! fourteen { () => { fn made() {} } } fourteen!();";
        let found = names(text).expect("it is Rust");
        let expected = [
            "Five", "Four", "NINE", "ONE", "Seven", "Six", "TWO", "Three", "eight", "eleven",
            "fourteen", "ten", "thirteen", "twelve",
        ];
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }
}
