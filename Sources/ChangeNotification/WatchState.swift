/// What a key holds for a ``ChangeNotifier``, and that alone sees.
public struct WatchState {
    /// The children for which inotify has raised all events; nil where they are not known.
    var snapshot: DirectorySnapshot?

    /// Nothing is known.
    public init() {}

    /// Nobody has kept it up to date, or will.
    public mutating func forget() { snapshot = nil }
}

/// What programs have seen of keys of which nothing was known: with it the first change raises the
/// right event. To be used while a ``ChangeNotifier`` is active, which keeps it true.
extension WatchedInode {
    /// The store has said this of the key, and nothing has changed since.
    public func learn(_ stat: some WatchedStat, isDirectory: Bool) {
        // Nobody would keep it up to date where the kernel does not know the directory.
        if isDirectory, isKnownAsDirectory, let names = stat.names { learn(names: names) }
        parent?.learn(stat, of: name, isDirectory: isDirectory)
    }

    /// The store has said this of a child. A name that the snapshot does not have is new: its event
    /// is to come.
    public func learn(_ stat: some WatchedStat, of name: String, isDirectory: Bool) {
        guard let snapshot = watched.snapshot, snapshot[name]?.isKnown == false else { return }
        snapshot[name] = DirectorySnapshot.Fingerprint(stat, isDirectory: isDirectory)
    }

    /// The names in the directory, each followed by a zero, where they were not known.
    public func learn(names: [UInt8]) {
        if watched.snapshot == nil { watched.snapshot = DirectorySnapshot(names: names) }
    }

    /// Whether the first change of each child can raise the right event.
    public var knowsChildren: Bool { watched.snapshot?.isComplete == true }

    /// The children of which nothing but the name is known; nil where not even that is.
    public var unknownNames: [String]? { watched.snapshot?.unknownNames }
}
