import XenstoreFilesystem

/// What a request of the kernel is answered with.
enum Answer {
    case done
    case entry(Entry)
    case attributes(Attributes)
    case opened(HandleID, OpenFlags, Caching)
    case openedStream(HandleID)
    case openedDirectory(HandleID, Caching)
    case created(Entry, HandleID)
    case bytes(ArraySlice<UInt8>)
    case written(Int)
    /// An attribute or a list of them, for a caller that offers so many bytes; 0 asks for the size.
    case attribute([UInt8], room: Int)
    case listing([DirectoryEntry], room: Int)
}
