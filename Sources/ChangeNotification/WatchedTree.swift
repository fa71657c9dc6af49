public import XenstoreProtocol

/// A key as the mount knows it: programs may watch it, or the directory that it is in.
public protocol WatchedInode: AnyObject {
    /// Never used again for another.
    var number: UInt64 { get }
    /// Of the root, something else.
    var name: String { get }
    /// Nil for the root, and for a key that has lost its place.
    var parent: Self? { get }
    var isRoot: Bool { get }
    /// Whether the kernel knows it, or a program has it open.
    var isHeld: Bool { get }
    /// Whether the kernel knows it as a directory.
    var isKnownAsDirectory: Bool { get }
    /// Whether the kernel knows it as a file.
    var isKnownAsFile: Bool { get }
    /// Whether the kernel knows the directory by the agent alone: nobody can watch it.
    var isKnownByAgentOnly: Bool { get }
    /// Whether the plain name led to a directory when the kernel was given it last.
    var isShownAsDirectory: Bool { get }
    /// For what inotify has raised events.
    var watched: WatchState { get set }
}

extension WatchedInode {
    /// Whether anybody can watch the directory: the kernel forgets no file that is watched.
    public var isWatchable: Bool { isRoot || isKnownAsDirectory && !isKnownByAgentOnly }
}

/// What the store says of a key.
public protocol WatchedStat {
    var value: [UInt8] { get }
    var permissions: Permissions { get }
    var hasChildren: Bool { get }
    /// The names of the children, each followed by a zero, where they were asked for and fit a
    /// message.
    var names: [UInt8]? { get }
}

/// The keys that a mount knows, as a ``ChangeNotifier`` sees them.
public protocol WatchedTree: AnyObject {
    associatedtype Inode: WatchedInode
    associatedtype Stat: WatchedStat
    /// Of a moment at which the store was asked.
    associatedtype Version

    var root: Inode { get }
    /// The known key of this name.
    func child(_ name: String, of directory: Inode) -> Inode?
    /// The key and all known keys below it.
    func subtree(of inode: Inode) -> [Inode]
    /// Where a key is in the store; nil where it has lost its place.
    func path(of inode: Inode) -> XenstorePath?
    /// Whether a key shows as a directory.
    ///
    /// - Parameter wasDirectory: how it showed itself; nil where that is not known.
    func isDirectory(
        _ stat: Stat,
        named name: String,
        in directory: Inode,
        before wasDirectory: Bool?
    ) -> Bool
    /// The size of a key's file.
    func size(of stat: Stat) -> Int
    /// The store has said this of a key that has changed.
    func learned(_ stat: Stat, of inode: Inode, at path: XenstorePath)
    /// The store has said that a key is gone.
    func removed(_ inode: Inode)
}
