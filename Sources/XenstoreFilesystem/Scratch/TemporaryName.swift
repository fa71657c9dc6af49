/// Tells files that a program makes for its own use from keys that a user wants.
///
/// Their names are legal ones, but chosen by no one. As keys they would be seen by every client of
/// the store, for the moment until they are renamed or removed.
enum TemporaryName {
    /// The permission bits that mkstemp(3) asks for.
    private static let mode: UInt32 = 0o600

    /// Letters that mkstemp(3) and its like choose, at the end of the name.
    private static let randomLength = 6

    /// What stands before them in sed, perl and Python.
    private static let knownPrefixes = ["sed", "XX", "tmp"]

    /// Whether a program that makes a file like this has called mkstemp(3), or mktemp(1).
    ///
    /// It has no say in the name, so the file cannot be a lock, which O_EXCL is for otherwise.
    /// Where that is not sure, it is one.
    static func isMkstemp(_ name: String, _ flags: OpenFlags, mode: UInt32) -> Bool {
        guard flags.isSuperset(of: [.read, .write, .exclusive]), mode & 0o777 == Self.mode else {
            return false
        }
        let prefix = knownPrefixes.first { name.hasPrefix($0) } ?? ""
        guard name.utf8.count >= prefix.utf8.count + randomLength else { return false }
        if !prefix.isEmpty { return true }
        let letters = name.utf8.suffix(randomLength)
        let isUpper = { (letter: UInt8) in (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(letter)
        }
        return letters.contains(where: isUpper) && !letters.allSatisfy(isUpper)
    }

    /// Whether vim asks whether it could write a file anew instead of into the old one: by making
    /// one called 4913, or 5036 and so on where that exists.
    ///
    /// It could not: a new key would not have the old one's permissions, and for a moment there
    /// would be none. Refused, vim writes in place.
    static func isVimProbe(_ name: String, _ flags: OpenFlags) -> Bool {
        guard flags.isSuperset(of: [.write, .exclusive, .noFollow]), let number = Int(name) else {
            return false
        }
        return number >= 4913 && (number - 4913) % 123 == 0
    }
}
