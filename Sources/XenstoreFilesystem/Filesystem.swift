import ChangeNotification
import Logging
public import XenstoreProtocol

/// The store as a filesystem: what every path, read, write, rename and attribute means.
///
/// Knows nothing of the kernel's interface. Belongs to one thread; where an operation awaits the
/// store, others run.
public final class Filesystem<Access: XenstoreAccess>: FilesystemOperations {
    /// Asks the store.
    let reader: StoreReader<Access>
    /// Changes it.
    let writer: StoreWriter<Access>
    let options: FilesystemOptions
    let environment: FilesystemEnvironment

    let keys: KeyTable
    let scratch: ScratchTable
    let streams: EventStreams<Access>
    var watches: StoreWatches<Access> { streams.watches }
    let files: OpenFiles
    let directories: HandleTable<OpenDirectory>
    var changes: ChangeLog { reader.changes }
    let notifier: ChangeNotifier<WatchedKeys>
    let timestamps: Timestamps
    let kernelCache: KernelCache

    /// The filesystem of the store itself.
    public convenience init(
        _ access: Access,
        options: FilesystemOptions = FilesystemOptions(),
        environment: FilesystemEnvironment
    ) {
        self.init(
            .store,
            over: access,
            options: options,
            environment: environment,
            rollsBack: true
        )
    }

    /// - Parameter id: whose numbers its inodes and handles have.
    init(
        _ id: FilesystemID,
        over access: Access,
        options: FilesystemOptions,
        environment: FilesystemEnvironment,
        rollsBack: Bool
    ) {
        let changes = ChangeLog()
        self.options = options
        self.environment = environment
        keys = KeyTable(
            of: id,
            root: options.subtree,
            emptyKeyKind: options.emptyKeyKind
        )
        scratch = ScratchTable(of: id)
        let watches = StoreWatches(over: access, token: Self.watchToken)
        streams = EventStreams(of: id, over: access, watches, changes, options, environment)
        files = OpenFiles(of: id)
        directories = HandleTable(of: id)
        timestamps = Timestamps(of: keys, changes, environment)
        let watchedKeys = WatchedKeys(keys, options.valueForm, timestamps)
        notifier = ChangeNotifier(of: watchedKeys, log: environment.logs.inotify)
        kernelCache = KernelCache.make(options.cache, of: keys, changes, environment)
        reader = StoreReader(access, keys, changes, kernelCache.retries, environment)
        let turns = options.asksForWriting ? TransactionTurns(after: environment.after) : nil
        writer = StoreWriter(access, changes, turns: turns, rollsBack: rollsBack)
        reader.observer = self
        writer.access.observer = self
        watchedKeys.onRemoved = { [unowned self] node in missing(node) }
    }

    /// What the inotify agent sees of it.
    public var inotifyReplay: any InotifyReplayOperations { InotifyReplay(of: self) }

    /// The token of the watch that keeps names, shapes and permissions true.
    static var watchToken: [UInt8] { Array("xsfs".utf8) }

    // MARK: Numbers

    func find(_ inode: InodeNumber) throws(FilesystemError) -> (node: KeyNode, kind: FileKind) {
        guard let (node, kind) = keys.find(inode) else {
            if let made = scratch.directory(inode) { return (made.node, .directory) }
            throw streams.find(inode) == nil ? .stale : .notPermitted
        }
        guard node.isUnlinked, let replacement = files.replacement(of: node) else {
            return (node, kind)
        }
        return (replacement, kind)
    }

    /// The directory that an operation on a name is about.
    func findDirectory(_ inode: InodeNumber) throws(FilesystemError) -> KeyNode {
        let (node, kind) = try find(inode)
        guard kind == .directory else { throw .notDirectory }
        return node
    }

    public func forget(_ inode: InodeNumber, count: UInt64) {
        guard !streams.forget(inode, count: count) else { return }
        guard let (node, kind) = keys.find(inode) else { return }
        node.removeLookups(count, kind)
        keys.dropUnused(node)
    }

    public func knownDirectory(_ name: String, in directory: InodeNumber) -> InodeNumber? {
        let key: String
        switch NameMeaning(name) {
        case .key(let name), .children(let name): key = name
        default: return nil
        }
        guard let parent = try? findDirectory(directory), let node = keys.child(key, of: parent),
            node.directoryLookups > 0
        else { return nil }
        return node.inode(.directory)
    }

    func requireWritable() throws(FilesystemError) {
        guard !options.isReadOnly else { throw .readOnly }
    }
}
