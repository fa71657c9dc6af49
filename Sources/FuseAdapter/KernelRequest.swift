import CFuse
import Glibc
import XenstoreFilesystem

/// A request of the kernel: a value that must be spent, since a program waits for it.
struct KernelRequest: ~Copyable {
    private let raw: OpaquePointer
    private let number: UInt64
    // What is discarded must hold nothing that counts references. The mount outlives its requests.
    private let mount: Unmanaged<FuseMount>

    init(_ raw: OpaquePointer, _ number: UInt64, of mount: FuseMount) {
        self.raw = raw
        self.number = number
        self.mount = .passUnretained(mount)
    }

    deinit {
        mount.takeUnretainedValue().forgot(number)
        xsfs_reply_error(raw, EIO)
    }

    /// Answers, and with that ends the request.
    consuming func reply(_ outcome: Result<Answer, FilesystemError>) {
        let raw = raw
        discard self
        switch outcome {
        case .failure(let error): xsfs_reply_error(raw, error.rawValue)
        case .success(let answer): Self.reply(raw, answer)
        }
    }

    private static func reply(_ raw: OpaquePointer, _ answer: Answer) {
        switch answer {
        case .done: xsfs_reply_error(raw, 0)
        case .entry(let entry):
            var entry = xsfs_entry(entry)
            xsfs_reply_entry(raw, &entry)
        case .attributes(let attributes):
            var attributes = xsfs_attributes(attributes)
            xsfs_reply_attributes(raw, &attributes)
        case .opened(let handle, let flags, let caching):
            // The kernel need not ask at the close of what was only read.
            xsfs_reply_open(raw, handle.rawValue, flags.contains(.write), caching.code)
        case .openedStream(let handle): xsfs_reply_open_stream(raw, handle.rawValue)
        case .openedDirectory(let handle, let caching):
            xsfs_reply_opendir(raw, handle.rawValue, caching.code)
        case .created(let entry, let handle):
            var entry = xsfs_entry(entry)
            xsfs_reply_create(raw, &entry, handle.rawValue)
        case .bytes(let bytes):
            bytes.withUnsafeBufferPointer { xsfs_reply_bytes(raw, $0.baseAddress, $0.count) }
        case .written(let count): xsfs_reply_written(raw, count)
        case .attribute(let value, let room): reply(raw, attribute: value, room: room)
        case .listing(let entries, let room): reply(raw, listing: entries, room: room)
        }
    }

    private static func reply(_ raw: OpaquePointer, attribute value: [UInt8], room: Int) {
        if room == 0 {
            xsfs_reply_xattr_size(raw, value.count)
        } else if value.count > room {
            xsfs_reply_error(raw, ERANGE)
        } else {
            value.withUnsafeBufferPointer { xsfs_reply_bytes(raw, $0.baseAddress, $0.count) }
        }
    }

    private static func reply(
        _ raw: OpaquePointer,
        listing entries: [DirectoryEntry],
        room: Int
    ) {
        let bytes = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            count = 0
            guard let start = buffer.baseAddress else { return }
            for listed in entries {
                let (space, place) = (room - count, start + count)
                let offset = Int64(listed.nextOffset)
                switch listed.target {
                case .entry(let entry):
                    var entry = xsfs_entry(entry)
                    count += xsfs_listing_add(raw, place, space, listed.name, &entry, offset)
                case .known(let inode, let kind):
                    count += xsfs_listing_add_name(
                        raw,
                        place,
                        space,
                        listed.name,
                        inode.rawValue,
                        kind == .directory ? S_IFDIR : S_IFREG,
                        offset
                    )
                case .unknown:
                    count += xsfs_listing_add_name(raw, place, space, listed.name, 0, 0, offset)
                }
                precondition(count <= room, "the filesystem was told how many names fit")
            }
        }
        bytes.withUnsafeBufferPointer { xsfs_reply_bytes(raw, $0.baseAddress, $0.count) }
    }
}

extension Caching {
    fileprivate var code: xsfs_caching {
        switch self {
        case .none: XSFS_CACHE_NONE
        case .fresh: XSFS_CACHE_FRESH
        case .kept: XSFS_CACHE_KEPT
        }
    }
}

extension xsfs_attributes {
    init(_ attributes: Attributes) {
        let type = attributes.kind == .directory ? S_IFDIR : S_IFREG
        self.init(
            inode: attributes.inode.rawValue,
            size: UInt64(attributes.size),
            mode: type | attributes.mode,
            // The store does not count names; 1 for a directory tells programs not to either.
            links: 1,
            uid: attributes.userID,
            gid: attributes.groupID,
            modified_seconds: attributes.modified.seconds,
            modified_nanoseconds: attributes.modified.nanoseconds,
            changed_seconds: attributes.changed.seconds,
            changed_nanoseconds: attributes.changed.nanoseconds,
            lifetime: attributes.lifetime
        )
    }
}

extension xsfs_entry {
    init(_ entry: Entry) {
        self.init(
            attributes: xsfs_attributes(entry.attributes),
            name_lifetime: entry.nameLifetime
        )
    }
}
