import Glibc
import XenstoreFilesystem

/// What `-o` says.
struct MountOptions {
    /// The options that are ``StoreArguments``, too.
    struct Store {
        var socket: String?
        var device: String?
        var isEmbedded = false
        var load: String?
        var listen: String?
    }

    var filesystem = FilesystemOptions()
    /// Whether changes by others raise events of inotify.
    var usesInotify = true
    /// What libfuse and the kernel are to know.
    var kernel: [String] = []
    /// The key that is the root of the mount; relative to the own domain without a slash.
    var subtree: String?
    var store = Store()
    /// What /proc/mounts shows as the source, instead of the store's own name.
    var sourceName: String?
    /// Whether it mounts on top of an xsfs, too.
    var stacks = false
    /// How long a transaction of a program may stay open.
    var transactionTimeout: Duration?
    private var allowsOthers = false
    private var userID: UInt32?
    private var umask: UInt32?

    static let help = """
        raw: values as their exact bytes, without a newline added
        empty=known|file|dir: how a key shows with neither value nor children (known: as Xen has it)
        ro: refuse every change
        allow_other: let other users in, with nothing to read unless a mode says so
        uid=, gid=, umask=, owner=domid: whose files they are, and for whom
        cache=strict: ask the store at each open, stat and listing (the default)
        cache=watch: let the kernel keep all until the store tells of a change
        noinotify: raise no inotify events for what others change
        subtree=PATH: mount this key as the root; relative to the own domain, '.' itself
        socket=PATH, device=PATH, embedded, load=FILE, listen=PATH: as above
        transaction_timeout=SECONDS: give up what is open in .txn for longer
        fsname=NAME: what /proc/mounts shows as the source
        nonempty: mount also where an xsfs is mounted already
        nosuid, nodev, noexec, noatime and their opposites: for the kernel
        all others of mount(8) and fstab(5): taken, and left to these
        """

    /// Takes the arguments of each `-o`.
    ///
    /// - Throws: ``CommandError`` that names an option which is unknown or malformed.
    init(parsing arguments: [String]) throws {
        for option in arguments.flatMap(SystemOptions.split) {
            let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            try take(String(parts[0]), parts.count > 1 ? String(parts[1]) : nil)
        }
        protectFromOthers()
    }

    private mutating func take(_ name: String, _ value: String?) throws {
        switch (name, value) {
        case ("raw", nil): filesystem.valueForm = .raw
        case ("empty", "dir"): filesystem.emptyKeyKind = .directory
        case ("empty", "file"): filesystem.emptyKeyKind = .file
        case ("empty", "known"): filesystem.emptyKeyKind = .known
        case ("cache", "strict"): filesystem.cache = .strict
        case ("cache", "watch"): filesystem.cache = .watch
        case ("inotify", nil): usesInotify = true
        case ("noinotify", nil): usesInotify = false
        case ("ro", nil):
            filesystem.isReadOnly = true
            kernel.append("ro")
        case ("allow_other", nil):
            allowsOthers = true
            kernel.append("allow_other")
        case ("uid", let value?): userID = try number(name, value, radix: 10)
        case ("gid", let value?): filesystem.groupID = try number(name, value, radix: 10)
        case ("umask", let value?): umask = try number(name, value, radix: 8)
        case ("owner", "domid"): ownersAreDomains = true
        case ("transaction_timeout", let value?):
            let seconds = try number(name, value, radix: 10)
            transactionTimeout = seconds > 0 ? .seconds(Int64(seconds)) : nil
        case ("subtree", let value?): subtree = value
        case ("socket", let value?): store.socket = value
        case ("device", let value?): store.device = value
        case ("embedded", nil): store.isEmbedded = true
        case ("load", let value?): store.load = value
        case ("listen", let value?): store.listen = value
        case ("fsname", let value?): sourceName = value
        case ("nonempty", nil): stacks = true
        case ("empty", _), ("cache", _), ("owner", _?):
            throw CommandError(
                "mount option '\(name)' has no value '\(value ?? "")'",
                status: CommandError.usage
            )
        default:
            guard let flags = try SystemOptions.kernelFlags(of: name, value) else {
                throw CommandError(
                    "unknown mount option '\(name)'",
                    status: CommandError.usage
                )
            }
            kernel += flags
        }
    }

    private var ownersAreDomains = false

    private func number(_ name: String, _ value: String, radix: Int) throws -> UInt32 {
        guard let number = UInt32(value, radix: radix) else {
            throw CommandError(
                "mount option '\(name)' needs a number, not '\(value)'",
                status: CommandError.usage
            )
        }
        return number
    }

    /// Where other users come in, the kernel checks the modes, and without a word about them
    /// everything is the mounting user's alone: a user's number is no domain's.
    private mutating func protectFromOthers() {
        if let umask { filesystem.umask = umask }
        if let userID { filesystem.ownership = .user(userID) }
        guard allowsOthers else { return }
        filesystem.letsOthersIn = true
        kernel.append("default_permissions")
        if userID == nil, !ownersAreDomains { filesystem.ownership = .user(geteuid()) }
        if umask == nil, !ownersAreDomains { filesystem.umask = 0o077 }
    }
}
