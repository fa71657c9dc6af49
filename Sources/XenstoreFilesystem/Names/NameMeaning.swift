import ChangeNotification
import XenstoreProtocol

/// What a name in a directory stands for.
///
/// A dot is no letter of the store's alphabet, so names with one are free for other uses.
enum NameMeaning: Hashable {
    /// The key of this name, in the shape that it has.
    case key(String)
    /// `NAME.value`: the value of the key, whatever its shape.
    case value(of: String)
    /// `NAME.dir`: the children of the key, whatever its shape.
    case children(of: String)
    /// `.value`: the value of the directory's own key.
    case ownValue
    /// `NAME.watch`, or `.watch`: the changes at a key or below it, the directory's own if nil.
    case stream(of: String?)
    /// Kept for something else that this filesystem has.
    case reserved
    /// No key can have this name.
    case foreign

    static let ownValueName = OwnValue.name
    private static let valueSuffix = ".value"
    private static let childrenSuffix = ".dir"
    private static let streamSuffix = ".watch"
    private static let reservedNames: Set<String> = [".dir", ".txn", ".xsfs"]

    init(_ name: String) {
        if Self.isLegal(name) {
            self = .key(name)
        } else if name == Self.ownValueName {
            self = .ownValue
        } else if name == Self.streamSuffix {
            self = .stream(of: nil)
        } else if let key = Self.strip(Self.streamSuffix, from: name) {
            self = .stream(of: key)
        } else if Self.reservedNames.contains(name) || name.hasSuffix(Self.streamSuffix) {
            self = .reserved
        } else if let key = Self.strip(Self.valueSuffix, from: name) {
            self = .value(of: key)
        } else if let key = Self.strip(Self.childrenSuffix, from: name) {
            self = .children(of: key)
        } else {
            self = .foreign
        }
    }

    /// The name by which the children of a key are reached, whatever its shape.
    static func childrenName(of key: String) -> String { key + childrenSuffix }

    private static func strip(_ suffix: String, from name: String) -> String? {
        guard name.hasSuffix(suffix) else { return nil }
        let key = String(name.dropLast(suffix.count))
        return isLegal(key) ? key : nil
    }

    private static func isLegal(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.allSatisfy(XenstorePath.isLegalInName)
    }
}
