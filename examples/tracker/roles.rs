//! Roles and what they may. A user's role follows from the groups that Keycloak names, at every login anew.

use std::collections::BTreeMap;

use serde::Deserialize;

/// From the one that may most to the one that may least. Where several groups of a user have a role, the first of these counts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Administrator = 1,
    SecurityTeam = 2,
    Reporter = 3,
    Guest = 4,
}

const ROLES: [Role; 4] = [Role::Administrator, Role::SecurityTeam, Role::Reporter, Role::Guest];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Permission {
    ReadAdvisories,
    ReportIssues,
    EditAdvisories,
    ManageUsers,
}

pub const PERMISSIONS: [Permission; 4] =
    [Permission::ReadAdvisories, Permission::ReportIssues, Permission::EditAdvisories, Permission::ManageUsers];

impl Role {
    pub fn number(self) -> i64 {
        self as i64
    }

    pub fn numbered(number: i64) -> Option<Role> {
        ROLES.into_iter().find(|role| role.number() == number)
    }

    pub fn name(self) -> &'static str {
        match self {
            Role::Administrator => "administrator",
            Role::SecurityTeam => "security team",
            Role::Reporter => "reporter",
            Role::Guest => "guest",
        }
    }

    /// Cumulative: whoever stands above the least role that may, may too.
    pub fn may(self, permission: Permission) -> bool {
        self <= permission.least_role()
    }
}

impl Permission {
    fn least_role(self) -> Role {
        match self {
            Permission::ReadAdvisories => Role::Guest,
            Permission::ReportIssues => Role::Reporter,
            Permission::EditAdvisories => Role::SecurityTeam,
            Permission::ManageUsers => Role::Administrator,
        }
    }

    /// The page that it opens.
    pub fn path(self) -> &'static str {
        match self {
            Permission::ReadAdvisories => "/advisories",
            Permission::ReportIssues => "/report",
            Permission::EditAdvisories => "/edit",
            Permission::ManageUsers => "/users",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Permission::ReadAdvisories => "read advisories",
            Permission::ReportIssues => "report issues",
            Permission::EditAdvisories => "edit advisories",
            Permission::ManageUsers => "manage users",
        }
    }
}

/// The groups that have each role, by full path: the same name may stand under several parents.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Roles(BTreeMap<Role, Vec<String>>);

impl Roles {
    /// The role of whoever is in these groups; none when no group has one.
    pub fn of(&self, groups: &[String]) -> Option<Role> {
        // The map is in the order of the roles, so the first that fits is the one that may most.
        self.0.iter().find(|(_, mapped)| mapped.iter().any(|group| groups.contains(group))).map(|(role, _)| *role)
    }
}
