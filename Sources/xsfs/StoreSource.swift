import Glibc
import XenstoreClient
import XenstoreFilesystem
import XenstoreStore

/// The store that is mounted.
enum StoreSource {
    case remote(StoreAddress)
    case embedded(load: String?, listen: String?, as: Compatibility)

    /// What /proc/mounts shows as the source.
    var name: String {
        switch self {
        case .remote(let address): address.path
        case .embedded: "embedded"
        }
    }

    /// What `.xsfs/status` tells of it.
    var storeDescription: StoreDescription {
        switch self {
        case .remote(.socket(let path)): StoreDescription(address: path, transport: "socket")
        case .remote(.device(let path)): StoreDescription(address: path, transport: "device")
        case .embedded: StoreDescription(address: "", transport: "embedded")
        }
    }

    /// Finds the store where libxenstore looks: what `$XENSTORED_PATH` names, or else the first of
    /// the standard places that exists.
    ///
    /// - Throws: ``CommandError`` that names the places.
    static func find() throws -> StoreAddress {
        if let value = getenv("XENSTORED_PATH").map({ String(cString: $0) }), !value.isEmpty {
            let named = try absolutePath(value)
            return isSocket(named) ? .socket(named) : .device(named)
        }
        let places = StoreAddress.standardPlaces
        if let found = places.first(where: { access($0.path, F_OK) == 0 }) { return found }
        let list = places.map(\.path).joined(separator: ", ")
        throw CommandError(
            "no xenstore found: $XENSTORED_PATH is not set, and there is no \(list); "
                + "use --embedded for a store of its own"
        )
    }

    private static func isSocket(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }
}
