import Glibc

/// The options of mount(8), fstab(5) and mount.fuse3(8), which any mount may be given: what the
/// kernel is to know of them.
enum SystemOptions {
    /// What libfuse makes a flag of.
    private static let passed: Set<String> = [
        "rw", "dev", "nodev", "suid", "nosuid", "exec", "noexec", "atime", "noatime", "sync",
        "async", "dirsync", "default_permissions",
    ]

    /// What this filesystem does not have, or does anyway: times of access, versions of inodes,
    /// mandatory locks, symbolic links, messages of the mount, and an end with its daemon.
    private static let idle: Set<String> = [
        "diratime", "nodiratime", "relatime", "norelatime", "strictatime", "nostrictatime",
        "lazytime", "nolazytime", "iversion", "noiversion", "mand", "nomand", "symfollow",
        "nosymfollow", "silent", "loud", "auto_unmount",
    ]

    /// What says who mounts, and when: mount(8), systemd and others act on it.
    private static let ofOthers: Set<String> = [
        "defaults", "auto", "noauto", "nouser", "nousers", "nogroup", "noowner", "_netdev",
        "nofail", "comment", "helper", "uhelper",
    ]

    /// What of an existing mount is to be changed.
    private static let ofOperations: Set<String> = [
        "bind", "rbind", "move", "shared", "rshared", "private", "rprivate", "slave", "rslave",
        "unbindable", "runbindable",
    ]

    private static let securityContexts: Set<String> = [
        "context", "fscontext", "defcontext", "rootcontext",
    ]

    /// Takes options apart at commas, but for those in quotes.
    static func split(_ options: String) -> [Substring] {
        var isQuoted = false
        return options.split { character in
            if character == "\"" { isQuoted.toggle() }
            return character == "," && !isQuoted
        }
    }

    /// - Returns: flags for libfuse; nil for what is no such option.
    /// - Throws: ``CommandError`` for one that asks for something else than a mount.
    static func kernelFlags(of name: String, _ value: String?) throws -> [String]? {
        switch (name, value) {
        case (_, nil) where passed.contains(name): return [name]
        case (_, nil) where idle.contains(name): return []
        case (_, _) where ofOthers.contains(name): return []
        // As fstab(5) has it, unless options that follow say otherwise.
        case ("user", _), ("users", nil): return ["noexec", "nosuid", "nodev"]
        case ("owner", nil), ("group", nil): return ["nosuid", "nodev"]
        case (_, _) where name.hasPrefix("x-") || name.hasPrefix("X-"): return []
        case (_, let value?) where securityContexts.contains(name):
            // As mount(8) does: a line of fstab(5) may be for systems with and without it.
            guard access("/sys/fs/selinux", F_OK) == 0 else { return [] }
            return ["\(name)=\(escaped(value))"]
        case ("remount", nil):
            throw CommandError(
                "cannot remount: unmount, and mount with the other options",
                status: CommandError.usage
            )
        case (_, nil) where ofOperations.contains(name):
            throw CommandError(
                "mount option '\(name)' is for mount(8) without a type",
                status: CommandError.usage
            )
        default: return nil
        }
    }

    /// libfuse splits at commas, unless a backslash stands before.
    static func escaped(_ value: String) -> String {
        String(
            value.flatMap { character in
                character == "," || character == "\\" ? ["\\", character] : [character]
            }
        )
    }
}
