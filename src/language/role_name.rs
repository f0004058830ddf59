//! Names of roles that come from collections.

use std::path::Path;

use super::role::Role;

impl Role {
    /// The name without the collection that it comes from.
    pub fn short_name(&self) -> &str {
        short_name(&self.name, &self.path)
    }
}

/// The name, of a role in this folder, without its collection; a role of the project's own may have dots in its name.
pub(super) fn short_name<'a>(name: &'a str, folder: &Path) -> &'a str {
    match name.splitn(3, '.').collect::<Vec<_>>()[..] {
        [space, collection, role] => {
            let place = Path::new("ansible_collections").join(space).join(collection).join("roles").join(role);
            if folder.ends_with(place) { role } else { name }
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_of_a_collection_has_a_short_name_and_others_may_have_dots() {
        let folder = Path::new("/srv/collections/ansible_collections/our/own/roles/greeter");
        assert_eq!(short_name("our.own.greeter", folder), "greeter");
        assert_eq!(short_name("our.own.greeter", Path::new("/srv/roles/our.own.greeter")), "our.own.greeter");
        assert_eq!(short_name("greeter", folder), "greeter");
    }
}
