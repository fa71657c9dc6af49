import SystemPackage

/// What is mounted, by the kernel's list: no filesystem is asked.
enum MountTable {
    private static let list = "/proc/self/mountinfo"
    private static let type = "fuse.xsfs"

    /// Whether the topmost mount at a place is an xsfs; false where there is no list.
    ///
    /// - Parameter path: an absolute one, without symbolic links.
    static func isXsfs(at path: String) -> Bool {
        guard let descriptor = try? FileDescriptor.open(FilePath(list), .readOnly),
            let bytes = try? descriptor.closeAfter({ try readAll(descriptor, named: list) })
        else { return false }
        let words = escaped(path)
        // proc(5): ID, parent, device, root, mountpoint, options, ..., `-`, type, source, options.
        let last = bytes.split(separator: UInt8(ascii: "\n")).last { line in
            let fields = line.split(separator: UInt8(ascii: " "))
            return fields.count > 4 && fields[4].elementsEqual(words)
        }
        guard let fields = last?.split(separator: UInt8(ascii: " ")),
            let dash = fields.firstIndex(of: [UInt8(ascii: "-")]), dash + 1 < fields.count
        else { return false }
        return fields[dash + 1].elementsEqual(type.utf8)
    }

    /// A path as it stands in the list: what would end a field there is in octal.
    private static func escaped(_ path: String) -> [UInt8] {
        path.utf8.flatMap { byte -> [UInt8] in
            switch byte {
            case UInt8(ascii: " "): Array("\\040".utf8)
            case UInt8(ascii: "\t"): Array("\\011".utf8)
            case UInt8(ascii: "\n"): Array("\\012".utf8)
            case UInt8(ascii: "\\"): Array("\\134".utf8)
            default: [byte]
            }
        }
    }
}
