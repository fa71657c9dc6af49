import XenstoreProtocol

/// How a key shows that has neither value nor children, where this mount knows nothing of it.
public enum EmptyKeyKind: Hashable, Sendable {
    /// As what Xen documents for its place; as a file where it documents nothing.
    case known
    case file
    case directory

    func kind(of path: XenstorePath) -> FileKind {
        switch self {
        case .known: KnownDirectories.contain(path) ? .directory : .file
        case .file: .file
        case .directory: .directory
        }
    }
}

/// The places in a store whose keys are there for their children.
private enum KnownDirectories {
    /// What docs/misc/xenstore-paths of Xen documents with children, and what libxl and xenopsd
    /// make empty when they create a domain, to be filled later. `~` is the home of a domain, and
    /// `$DOMID` a number; any other name with a `$` stands for all names.
    ///
    /// All else is a value: what is in `~/control`, among it `shutdown`, `sysrq` and `feature-*`;
    /// and what is in `~/data`, `~/drivers`, `~/error` and other places that are free.
    private static let table = """
        /local
        /local/domain
        /local/domain/$DOMID
        /local/pool
        /local/pool/$POOLID
        /libxl
        /libxl/$DOMID
        /libxl/$DOMID/device
        /libxl/$DOMID/device/$KIND
        /libxl/$DOMID/device/$KIND/$DEVID
        /libxl/$DOMID/remus
        /libxl/$DOMID/remus/netbuf
        /libxl/$DOMID/remus/netbuf/$DEVID
        /tool
        /tool/xenstored
        /vm
        /vm/$UUID
        /vm/$UUID/image
        /vm/$UUID/rtc
        ~/attr
        ~/attr/vif
        ~/attr/vif/$DEVID
        ~/attr/vif/$DEVID/ipv4
        ~/attr/vif/$DEVID/ipv6
        ~/attr/vif/$DEVID/mac
        ~/backend
        ~/backend/$KIND
        ~/backend/$KIND/$DOMID
        ~/backend/$KIND/$DOMID/$DEVID
        ~/bios-strings
        ~/console
        ~/control
        ~/cpu
        ~/cpu/$INDEX
        ~/data
        ~/device
        ~/device/$KIND
        ~/device/$KIND/$DEVID
        ~/device/suspend
        ~/device-model
        ~/device-model/$DOMID
        ~/device-model/$DOMID/backends
        ~/device-model/$DOMID/backends/$KIND
        ~/drivers
        ~/error
        ~/feature
        ~/feature/hotplug
        ~/hvmloader
        ~/image
        ~/libxl
        ~/libxl/$DOMID
        ~/memory
        ~/platform
        ~/serial
        ~/serial/$DEVID
        ~/store
        """

    /// A place of the table, and those below it.
    private struct Place {
        enum Name: Hashable {
            case number
            case any
            case literal([UInt8])
        }

        var name: Name
        var below: [Place] = []

        func matches(_ text: Substring.UTF8View) -> Bool {
            switch name {
            case .any: true
            case .number: text.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            case .literal(let bytes): bytes.elementsEqual(text)
            }
        }

        mutating func insert(_ names: ArraySlice<Substring>) {
            guard let first = names.first else { return }
            let name: Name =
                switch first {
                case "$DOMID": .number
                case _ where first.hasPrefix("$"): .any
                default: .literal(Array(first.utf8))
                }
            if let index = below.firstIndex(where: { $0.name == name }) {
                return below[index].insert(names.dropFirst())
            }
            var place = Place(name: name)
            place.insert(names.dropFirst())
            // What has a name of its own is not what any name stands for: `~/device/suspend` is no
            // type of devices.
            if name == .any { below.append(place) } else { below.insert(place, at: 0) }
        }
    }

    private static let root = {
        var root = Place(name: .any)
        for line in table.split(separator: "\n") {
            let home = line.hasPrefix("~") ? "/local/domain/$DOMID" : ""
            root.insert((home + line.drop { $0 == "~" }).split(separator: "/")[...])
        }
        return root
    }()

    /// Each name of a listing may be looked for: nothing is allocated.
    static func contain(_ path: XenstorePath) -> Bool {
        let slash = UInt8(ascii: "/")
        var rest = path.text.utf8.dropFirst()
        var place = root
        while !rest.isEmpty {
            let name = rest.prefix { $0 != slash }
            guard let next = place.below.first(where: { $0.matches(name) }) else { return false }
            place = next
            rest = rest[name.endIndex...].dropFirst()
        }
        return true
    }
}
