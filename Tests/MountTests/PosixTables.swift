/// The calls of ``PosixTests``, each table in a directory of its own.
extension PosixTests {
    static let mkdirTable = """
        0 mkdir d 0755
        directory type d
        EEXIST mkdir d 0755
        0 open f WRONLY,CREAT
        EEXIST mkdir f 0755
        ENOTDIR mkdir f/x 0755
        ENOENT mkdir none/x 0755
        ENOENT mkdir " 0755
        EEXIST mkdir d/. 0755
        EEXIST mkdir d/.. 0755
        0 mkdir d/e/ 0755
        directory type d/e
        ENAMETOOLONG mkdir *4000 0755
        ENAMETOOLONG mkdir d/*1000/*1000/*1000/*1100 0755
        # The directory belongs to its maker: the store's domain 0.
        0 uid d
        1 nlink d
        """

    static let rmdirTable = """
        0 mkdir d 0755
        0 rmdir d
        ENOENT type d
        ENOENT rmdir d
        0 mkdir d 0755
        0 open d/f WRONLY,CREAT
        ENOTEMPTY rmdir d
        ENOTDIR rmdir d/f
        ENOTDIR rmdir d/f/x
        ENOENT rmdir none/x
        EINVAL rmdir d/.
        0 mkdir d/e 0755
        ENOTEMPTY rmdir d
        ENOTEMPTY rmdir d/e/..
        ENAMETOOLONG rmdir *4000
        0 rmdir d/e/
        0 unlink d/f
        0 rmdir d
        """

    static let openTable = """
        ENOENT open f RDONLY
        ENOENT open f WRONLY
        ENOENT open none/f WRONLY,CREAT
        ENOENT open " RDONLY
        0 open f WRONLY,CREAT
        file type f
        0 size f
        0 open f WRONLY,CREAT
        0 open new WRONLY,CREAT,EXCL
        EEXIST open new WRONLY,CREAT,EXCL
        EEXIST open new RDONLY,CREAT,EXCL
        0 write f WRONLY content
        content pread f RDONLY
        8 size f
        0 write f WRONLY CON
        CONtent pread f RDONLY
        0 write f WRONLY,APPEND more
        CONtent|more pread f RDONLY
        0 write f WRONLY,TRUNC new
        new pread f RDONLY
        EBADF write f RDONLY x
        EBADF pread f WRONLY
        ENOTDIR open f/x RDONLY
        ENOTDIR open f/x WRONLY,CREAT
        ENOTDIR open f RDONLY,DIRECTORY
        ENOTDIR open f/ RDONLY
        0 mkdir d 0755
        0 open d RDONLY
        0 open d RDONLY,DIRECTORY
        EISDIR open d WRONLY
        EISDIR open d RDWR
        EISDIR open d RDONLY,TRUNC
        EISDIR open d WRONLY,TRUNC
        EISDIR open d RDONLY,CREAT
        EEXIST open d RDONLY,CREAT,EXCL
        EISDIR pread d RDONLY
        EISDIR open x/ WRONLY,CREAT
        ENAMETOOLONG open *4000 RDONLY
        ENAMETOOLONG open *4000 WRONLY,CREAT
        0 open f RDONLY,NOFOLLOW
        """

    static let unlinkTable = """
        ENOENT unlink f
        0 open f WRONLY,CREAT,EXCL
        1 nlink f
        0 unlink f
        ENOENT type f
        ENOENT unlink f
        ENOENT unlink none/f
        ENOENT unlink "
        0 mkdir d 0755
        EISDIR unlink d
        EISDIR unlink d/.
        EISDIR unlink d/..
        0 write f WRONLY,CREAT text
        ENOTDIR unlink f/x
        ENOTDIR unlink f/
        ENAMETOOLONG unlink *4000
        # An open file outlives its name.
        text unlinked f RDONLY
        ENOENT type f
        """

    static let renameTable = """
        0 write f WRONLY,CREAT one
        ENOENT rename none g
        ENOENT rename f none/g
        ENOENT rename none/f g
        ENOTDIR rename f f/x
        ENOTDIR rename f/x g
        0 rename f g
        ENOENT type f
        one pread g RDONLY
        0 same g g
        0 rename g g
        0 write h WRONLY,CREAT two
        0 rename h g
        two pread g RDONLY
        0 mkdir d 0755
        0 mkdir e 0755
        EISDIR rename g d
        ENOTDIR rename d g
        0 rename d e
        ENOENT type d
        directory type e
        0 mkdir d 0755
        0 write e/f WRONLY,CREAT inside
        ENOTEMPTY rename d e
        0 rename e d
        inside pread d/f RDONLY
        EINVAL rename d d/e
        ENOTDIR rename d d/f/x/y
        ENOTEMPTY rename d/f d
        EBUSY rename d/. e
        EBUSY rename d/.. e
        EBUSY rename g d/..
        ENAMETOOLONG rename g *4000
        ENAMETOOLONG rename *4000 g
        EEXIST renameat2 g d 1
        EEXIST renameat2 g d/f 1
        0 renameat2 g h 1
        ENOENT renameat2 h none 2
        0 renameat2 h d 2
        two pread d RDONLY
        inside pread h/f RDONLY
        EINVAL renameat2 h d 3
        EINVAL renameat2 h x 4
        EINVAL renameat2 h h/f 2
        """

    static let truncateTable = """
        0 write f WRONLY,CREAT 123456789
        0 truncate f 3
        123 pread f RDONLY
        4 size f
        0 truncate f 0
        0 size f
        nothing pread f RDONLY
        ENOENT truncate none 0
        ENOTDIR truncate f/x 0
        EINVAL truncate f -1
        EFBIG truncate f 999999999999
        0 mkdir d 0755
        EISDIR truncate d 0
        ENAMETOOLONG truncate *4000 0
        0 write f WRONLY,TRUNC 123456789
        0 ftruncate f WRONLY 5
        12345 pread f RDONLY
        0 ftruncate f RDWR 0
        nothing pread f RDONLY
        0 ftruncate f WRONLY 8
        9 size f
        EINVAL ftruncate f RDONLY 0
        EINVAL ftruncate f WRONLY -1
        EFBIG ftruncate f WRONLY 999999999999
        EINVAL ftruncate d RDONLY 0
        9 size f
        """

    static let chmodTable = """
        0 write f WRONLY,CREAT v
        0600 mode f
        0 chmod f 0644
        0644 mode f
        0 chmod f 0666
        0666 mode f
        0 chmod f 0600
        0600 mode f
        # What permissions cannot say.
        EPERM chmod f 0400
        EPERM chmod f 0604
        EPERM chmod f 04644
        EPERM chmod f 02644
        EPERM chmod f 01644
        0600 mode f
        # What nobody could use.
        0 chmod f 0755
        0644 mode f
        0 chmod f 0640
        0600 mode f
        0 mkdir d 0755
        0700 mode d
        0 chmod d 0755
        0755 mode d
        EPERM chmod d 0744
        EPERM chmod d 01777
        0755 mode d
        0 chmod d 0711
        0700 mode d
        0 chmod d 0777
        0777 mode d
        ENOENT chmod none 0644
        ENOTDIR chmod f/x 0644
        ENAMETOOLONG chmod *4000 0644
        # What is made in a directory has its permissions.
        0 open d/f WRONLY,CREAT
        0666 mode d/f
        """

    static let chownTable = """
        0 write f WRONLY,CREAT v
        0 uid f
        0 chown f 5 -
        5 uid f
        0 gid f
        0 chown f - -
        5 uid f
        0 chown f 5 0
        EPERM chown f - 7
        EPERM chown f 6 7
        5 uid f
        0 mkdir d 0755
        0 chown d 3 -
        3 uid d
        ENOENT chown none 1 -
        ENOTDIR chown f/x 1 -
        ENAMETOOLONG chown *4000 1 -
        0 chown f 0 -
        0600 mode f
        """

    static let timesTable = """
        0 utimensat f 1000 2000
        2000 mtime f
        0 utimensat f omit 3000
        3000 mtime f
        0 utimensat f 4000 omit
        3000 mtime f
        0 utimensat f omit omit
        3000 mtime f
        0 utimensat d 1000 5000
        5000 mtime d
        ENOENT utimensat none 1 1
        ENOTDIR utimensat f/x 1 1
        ENOENT utimensat " now now
        """

    static let kindsTable = """
        0 write f WRONLY,CREAT v
        0 mkdir d 0755
        EPERM link f g
        EEXIST link f d
        EPERM link d g
        ENOENT link none g
        EPERM symlink f g
        EEXIST symlink f d
        ENOENT symlink f none/g
        EPERM mkfifo g
        EEXIST mkfifo f
        EPERM mknod g fifo
        EPERM mknod g socket
        EPERM mknod g char
        EPERM mknod g block
        0 mknod g file
        file type g
        0 size g
        EEXIST mknod g file
        ENOENT mknod none/g file
        ENOTDIR mknod f/g file
        """
}
