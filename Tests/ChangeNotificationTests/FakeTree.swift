import ChangeNotification
import XenstoreProtocol

/// What a store says of a key: a value, and the names of the children.
struct FakeStat: WatchedStat, ExpressibleByStringLiteral {
    let value: [UInt8]
    let permissions: Permissions
    let hasChildren: Bool
    let names: [UInt8]?

    /// - Parameter names: none where the key has children whose names fit no message.
    init(_ value: String, names: [String]? = [], everyone: AccessMode = []) {
        self.value = Array(value.utf8)
        permissions = Permissions(owner: .privileged, everyone: everyone)
        hasChildren = names?.isEmpty != true
        self.names = names?.flatMap { Array($0.utf8) + [0] }
    }

    /// A key without children.
    init(stringLiteral value: String) { self.init(value) }

    /// A key with children.
    static func directory(_ names: String..., value: String = "") -> FakeStat {
        FakeStat(value, names: names)
    }
}

/// A key that the kernel knows.
final class FakeInode: WatchedInode {
    let number: UInt64
    fileprivate(set) var name: String
    fileprivate(set) weak var parent: FakeInode?
    fileprivate var children: [String: FakeInode] = [:]
    let isRoot: Bool
    var isHeld = true
    var isKnownAsDirectory = false
    var isKnownAsFile = false
    var isKnownByAgentOnly = false
    var isShownAsDirectory: Bool { isKnownAsDirectory }
    var watched = WatchState()

    fileprivate init(_ name: String, number: UInt64) {
        self.name = name
        self.number = number
        isRoot = number == 1
    }
}

/// The keys that a test has the kernel know.
final class FakeTree: WatchedTree {
    let root = FakeInode("", number: 1)
    private var lastNumber: UInt64 = 1
    /// What the machine has said is gone, as paths.
    private(set) var removedPaths: [String] = []
    /// What the machine has passed on of what the store has said, as paths.
    private(set) var learnedPaths: [String] = []

    init() { root.isKnownAsDirectory = true }

    func child(_ name: String, of directory: FakeInode) -> FakeInode? { directory.children[name] }

    func subtree(of inode: FakeInode) -> [FakeInode] {
        let children = inode.children.sorted { $0.key < $1.key }
        return [inode] + children.flatMap { subtree(of: $0.value) }
    }

    func path(of inode: FakeInode) -> XenstorePath? {
        guard !inode.isRoot else { return .root }
        return inode.parent.flatMap(path).flatMap { try? $0.appending(inode.name) }
    }

    /// An empty key stays what it was.
    func isDirectory(
        _ stat: FakeStat,
        named name: String,
        in directory: FakeInode,
        before wasDirectory: Bool?
    ) -> Bool {
        stat.hasChildren || stat.value.isEmpty && wasDirectory == true
    }

    func size(of stat: FakeStat) -> Int { stat.value.count }

    func learned(_ stat: FakeStat, of inode: FakeInode, at path: XenstorePath) {
        learnedPaths.append(path.text)
    }

    func removed(_ inode: FakeInode) { removedPaths.append(path(of: inode)?.text ?? "?") }

    /// The number of questions before.
    typealias Version = Int

    // MARK: What the kernel does

    /// The kernel knows a directory, and inotify has told of its children.
    @discardableResult
    func know(_ path: String, _ children: [String: FakeStat]) throws -> FakeInode {
        let inode = try find(path)
        inode.isKnownAsDirectory = true
        inode.learn(names: children.keys.sorted().flatMap { Array($0.utf8) + [0] })
        for (name, stat) in children {
            inode.learn(stat, of: name, isDirectory: stat.hasChildren)
        }
        return inode
    }

    /// The kernel knows a file.
    @discardableResult
    func knowFile(_ path: String) throws -> FakeInode {
        let inode = try find(path)
        inode.isKnownAsFile = true
        return inode
    }

    /// A program gives a key another name in its directory.
    func rename(_ inode: FakeInode, to name: String) {
        inode.parent?.children[inode.name] = nil
        inode.parent?.children[name] = inode
        inode.name = name
    }

    /// A key loses its place.
    func detach(_ inode: FakeInode) {
        inode.parent?.children[inode.name] = nil
        inode.parent = nil
    }

    /// The inode at a path, which is made where it is not there.
    private func find(_ path: String) throws -> FakeInode {
        var inode = root
        for name in try XenstorePath(path).components.map(String.init) {
            if let child = inode.children[name] {
                inode = child
                continue
            }
            lastNumber += 1
            let child = FakeInode(name, number: lastNumber)
            child.parent = inode
            inode.children[name] = child
            inode = child
        }
        return inode
    }
}
