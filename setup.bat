@echo off
rem Registers this folder in IIS as the application /dante. Run setup.bat /? for help.
rem No blocks in parentheses below: a ")" in a path would close them.
setlocal EnableExtensions DisableDelayedExpansion

set "SITE=Default Web Site"
set "APP=/dante"
set "POOL=DefaultAppPool"

if "%APPCMD%"=="" set "APPCMD=%SystemRoot%\System32\inetsrv\appcmd.exe"
rem "%~dp0" ends in a backslash, which would swallow a closing quote. So would a drive's root.
for %%I in ("%~dp0.") do set "ROOT=%%~fI"
set "REG=%SystemRoot%\System32\reg.exe"
set "ICACLS=%SystemRoot%\System32\icacls.exe"
rem IIS_IUSRS contains every application pool's identity. Its name is localised, its SID is not.
set "IIS_IUSRS=*S-1-5-32-568"
set "MACHINE=HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment"
set "USERS=HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList"
set "ADDRESS=http://localhost%APP%/server-faye.js"

if /i "%~1"=="/?" goto help
if /i "%~1"=="/remove" goto check_iis
if not "%~1"=="" goto unknown

:check_iis
rem "/" would be the site's own application, which /remove would delete.
if not "%APP:~0,1%"=="/" goto bad_app
if "%APP:~-1%"=="/" goto bad_app
echo Checking for administrator rights ...
rem Only an administrator may read the registry of the local service account, S-1-5-19.
"%REG%" query HKU\S-1-5-19 >nul 2>nul
if not "%errorlevel%"=="0" goto not_admin
echo Checking for IIS ...
if not exist "%APPCMD%" goto no_iis
if /i "%~1"=="/remove" goto remove

echo Checking for iisnode ...
"%APPCMD%" list module /name:iisnode
if not "%errorlevel%"=="0" goto no_iisnode
echo Checking that dante is built ...
if not exist "%ROOT%\dist\server.js" goto not_built
echo Checking the site ...
"%APPCMD%" list site "%SITE%"
if not "%errorlevel%"=="0" goto no_site
echo Checking that IIS can reach the folder ...
if "%ROOT:~-1%"=="\" goto in_root
rem "call" expands %SystemDrive% and the like. "for" drops a quote if its command starts with one.
set "PROFILES="
for /f "tokens=2,*" %%A in ('%REG% query "%USERS%" /v ProfilesDirectory') do call set "PROFILES=%%B"
set "ABOVE=%ROOT%"
call :climb
if not "%errorlevel%"=="0" goto in_profile
rem This prints only if a link or a drive of subst leads to the folder (libuv, uv_fs_realpath).
cd /d "%ROOT%"
set "REAL=path.relative('.', fs.realpathSync.native('.'))"
for /f "delims=" %%I in ('node.exe -p "%REAL%" 2^>nul') do goto is_link

echo Letting web.config choose the handlers ...
"%APPCMD%" unlock config "%SITE%%APP%" -section:system.webServer/handlers -commitpath:apphost
if not "%errorlevel%"=="0" goto unlock_failed
echo Letting web.config turn off IIS's own WebSocket module ...
"%APPCMD%" unlock config "%SITE%%APP%" -section:system.webServer/webSocket -commitpath:apphost
if not "%errorlevel%"=="0" goto unlock_failed
echo Letting IIS read the folder ...
"%ICACLS%" "%ROOT%" /grant "%IIS_IUSRS%:(OI)(CI)RX" /q
if not "%errorlevel%"=="0" goto access_failed
echo Letting iisnode write its logs ...
if not exist "%ROOT%\iisnode\" mkdir "%ROOT%\iisnode"
if not exist "%ROOT%\iisnode\" goto no_log_folder
"%ICACLS%" "%ROOT%\iisnode" /grant "%IIS_IUSRS%:(OI)(CI)M" /q
if not "%errorlevel%"=="0" goto access_failed

"%APPCMD%" list app "%SITE%%APP%" >nul
if not "%errorlevel%"=="0" goto add
echo Pointing the application %APP% to this folder ...
"%APPCMD%" set vdir "%SITE%%APP%/" "/physicalPath:%ROOT%"
if not "%errorlevel%"=="0" goto register_failed
goto warn
:add
echo Adding the application %APP% ...
"%APPCMD%" add app "/site.name:%SITE%" "/path:%APP%" "/physicalPath:%ROOT%" ^
  "/applicationPool:%POOL%"
if not "%errorlevel%"=="0" goto register_failed

:warn
rem The warnings come last, so that they are still on the screen at the end.
echo.
rem iisnode finds node.exe in the PATH of IIS, a service: the machine's, without a user's variables.
setlocal
set "MACHINE_PATH="
for /f "tokens=2,*" %%A in ('%REG% query "%MACHINE%" /v Path') do set "MACHINE_PATH=%%B"
for /f %%A in ('%REG% query HKCU\Environment') do set "%%A="
for /f "tokens=1,2,*" %%A in ('%REG% query "%MACHINE%"') do call set "%%A=%%C"
call set "MACHINE_PATH=%MACHINE_PATH%"
endlocal & set "MACHINE_PATH=%MACHINE_PATH%"
set "NODE="
for %%I in (node.exe) do set "NODE=%%~$MACHINE_PATH:I"
if "%NODE%"=="" goto no_node
rem nvm's folder in the PATH is a link, so node.exe itself has to say where it is.
set "REAL="
for /f "delims=" %%I in ('call "%NODE%" -p "fs.realpathSync(process.execPath)"') do set "REAL=%%I"
if "%REAL%"=="" goto node_fails
set "ABOVE=%REAL%"
call :climb
if "%errorlevel%"=="0" goto check_port
echo WARNING: "%REAL%" is %WHERE%, where IIS cannot start it. 1>&2
goto install_node
:no_node
echo WARNING: node.exe is not in the machine's PATH, so IIS cannot start it. 1>&2
echo IIS does not have a user's variables there, such as nvm's NVM_SYMLINK. 1>&2
goto install_node
:node_fails
echo WARNING: "%NODE%" does not start. Is it too new for this Windows? 1>&2
echo Node.js 22 is the last that starts on Windows Server 2012 and 2012 R2. 1>&2
:install_node
echo Install Node.js for all users from https://nodejs.org/, then restart IIS. 1>&2
:check_port
"%REG%" query "%MACHINE%" /v PORT >nul 2>nul
if not "%errorlevel%"=="0" goto check_websocket
echo WARNING: Windows has a variable PORT, which wins over the one that iisnode sets. 1>&2
echo Delete it, then restart IIS: reg delete "%MACHINE%" /v PORT 1>&2
:check_websocket
rem This asks for the module, as IIS loads what its configuration lists; iiswsock.dll may be unused.
"%APPCMD%" list module /name:WebSocketModule >nul
if "%errorlevel%"=="0" goto check_site
echo WARNING: The Windows feature "WebSocket Protocol" is missing, so WebSockets may fail. 1>&2
echo Run this, then restart IIS: dism /online /enable-feature /featurename:IIS-WebSockets /all 1>&2
:check_site
rem SITE "NAME" (id:1,bindings:net.tcp/808:*,http/*:80:,https/*:443:www.example,state:Started)
for /f "delims=" %%I in ('call "%APPCMD%" list site "%SITE%"') do set "ABOUT=%%I"
set "ABOUT=%ABOUT:*(id:=%"
for /f "delims=," %%I in ("%ABOUT%") do set "ID=%%I"
if "%ABOUT:*,state:=%"=="Started)" goto check_binding
echo WARNING: The site "%SITE%" is not started. 1>&2
echo Start it: "%APPCMD%" start site "%SITE%" 1>&2
:check_binding
set "BINDING=%ABOUT:*http/=http/%"
if "%BINDING%"=="%ABOUT%" set "BINDING=%ABOUT:*https/=https/%"
if "%BINDING%"=="%ABOUT%" goto no_binding
for /f "delims=," %%I in ("%BINDING%") do set "BINDING=%%I"
for /f "tokens=1-4 delims=/:" %%A in ("%BINDING%") do call :address %%A %%B %%C %%D
goto registered
:no_binding
echo WARNING: The site "%SITE%" has no binding for http or https. Add one in IIS Manager. 1>&2
:registered
echo.
echo Done. Page: %ADDRESS%
echo Check it: cd /d "%ROOT%"
echo           npm run check -- %ADDRESS%
echo If you installed Node.js or changed PATH or PORT after IIS started, restart IIS:
echo net stop was /y, then net start w3svc
echo.
echo If the page is blank with status 500, run: netsh http flush logbuffer
echo Then read the number after 500, the substatus, in
echo "%SystemDrive%\inetpub\logs\LogFiles\W3SVC%ID%", and look for it in .github\HOSTING.md.
pause
exit /b 0

rem Returns 1 if ABOVE is in a user profile or on a share, and says in WHERE which.
:climb
set "WHERE=on a share"
if "%ABOVE:~0,2%"=="\\" exit /b 1
set "WHERE=in a user profile"
if /i "%ABOVE%"=="%PROFILES%" exit /b 1
set "BELOW=%ABOVE%"
for %%I in ("%ABOVE%\..") do set "ABOVE=%%~fI"
if not "%ABOVE%"=="%BELOW%" goto climb
exit /b 0

rem Sets ADDRESS from a binding: scheme, IP address or "*", port, and perhaps a host name.
:address
set "NAME=%4"
if "%NAME%"=="" set "NAME=%2"
if "%NAME%"=="*" set "NAME=localhost"
set "ADDRESS=%1://%NAME%:%3%APP%/server-faye.js"
if "%1:%3"=="http:80" set "ADDRESS=http://%NAME%%APP%/server-faye.js"
exit /b 0

:remove
"%APPCMD%" list app "%SITE%%APP%" >nul
if not "%errorlevel%"=="0" goto removed
echo Removing the application %APP% ...
"%APPCMD%" delete app "%SITE%%APP%"
if not "%errorlevel%"=="0" goto remove_failed
:removed
rem Last, and without an application too: IIS rejects a web.config that uses a locked section.
rem From now on the path denies both sections, even where the server allows them.
echo Locking the sections that setup.bat unlocked ...
"%APPCMD%" lock config "%SITE%%APP%" -section:system.webServer/handlers -commitpath:apphost
if not "%errorlevel%"=="0" goto remove_failed
"%APPCMD%" lock config "%SITE%%APP%" -section:system.webServer/webSocket -commitpath:apphost
if not "%errorlevel%"=="0" goto remove_failed
echo.
echo Done. IIS no longer has the application %APP%. The folder and its logs are still there.
pause
exit /b 0

:help
echo setup.bat          registers this folder in IIS as the application %APP% of "%SITE%"
echo setup.bat /remove  removes the application from IIS and keeps the folder
echo setup.bat /?       shows this help
echo.
echo Run it as administrator. You can change the site, path and pool at the top of setup.bat.
echo An application that is already there keeps its pool.
echo The variable APPCMD can name another appcmd.exe.
echo In a script, run "setup.bat <nul": it then does not wait for a key.
exit /b 0

:unknown
echo Unknown argument "%~1". Run setup.bat without arguments, or with /remove or /?. 1>&2
goto failed
:bad_app
echo APP is "%APP%" at the top of setup.bat. It must start with a slash and not end in one. 1>&2
goto failed
:not_admin
echo Administrator rights are required. 1>&2
echo Right-click setup.bat and choose "Run as administrator". 1>&2
goto failed
:no_iis
echo IIS or its scripting tools are missing: "%APPCMD%" does not exist. 1>&2
echo Install both as README.md describes, then run setup.bat again. 1>&2
goto failed
:no_iisnode
echo IIS has no module named iisnode. Install iisnode-full-v0.2.26-x64.msi from 1>&2
echo https://github.com/Azure/iisnode/releases, then run setup.bat again. 1>&2
goto failed
:not_built
echo "%ROOT%\dist\server.js" does not exist. Run npm install there, 1>&2
echo or npm run build if that did not build it. Then run setup.bat again. 1>&2
goto failed
:no_site
echo IIS has no site "%SITE%". Set SITE, at the top of setup.bat, to one of these: 1>&2
"%APPCMD%" list site 1>&2
goto failed
:in_root
echo "%ROOT%" is a whole drive, and IIS would be allowed to read all of it. 1>&2
goto move
:in_profile
echo "%ROOT%" is %WHERE%, where IIS cannot start Node.js. 1>&2
goto move
:is_link
echo "%ROOT%" is a link, or on a drive of subst or net use. IIS may not have it. 1>&2
echo If the folder itself is in no user profile and on no share, run setup.bat there. Or: 1>&2
:move
echo Move dante, for example to C:\inetpub\dante, and run setup.bat there. 1>&2
goto failed
:unlock_failed
echo appcmd could not unlock the section for "%SITE%%APP%". Its message is above. 1>&2
echo Solve that problem, then run setup.bat again. 1>&2
goto failed
:access_failed
echo icacls could not give IIS_IUSRS access to "%ROOT%". Its message is above. 1>&2
echo Check that the folder is on a local NTFS disk and that you may change its permissions. 1>&2
goto failed
:no_log_folder
echo The folder "%ROOT%\iisnode" could not be created. 1>&2
echo Check that no file has that name and that you may write to "%ROOT%". 1>&2
goto failed
:register_failed
echo appcmd could not register "%SITE%%APP%". Its message is above. 1>&2
echo Check that the pool at the top of setup.bat exists in IIS. 1>&2
goto failed
:remove_failed
echo appcmd could not remove "%SITE%%APP%" completely. Its message is above. 1>&2
echo Solve that problem, then run setup.bat /remove again. 1>&2
goto failed
:failed
rem When setup.bat is started from Explorer, its window closes at the end.
pause
exit /b 1
